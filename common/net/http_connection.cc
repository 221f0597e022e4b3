#include "common/net/http_connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <system_error>

#include <boost/asio/buffer.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>

#include "common/base/error.h"

namespace fl::net {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// For a peer to read its answer before the connection goes, whatever it still sends.
constexpr std::chrono::seconds linger_time{1};
constexpr std::size_t linger_reads = 16;
// A body that is longer goes by itself, without a copy behind its head.
constexpr std::size_t small_body = std::size_t{16} << 10U;
// What a body may take at once before its bytes have come.
constexpr std::size_t body_step = std::size_t{1} << 20U;

TlsStream::Result outcome_of(ssize_t count, TlsStream::Outcome wait) {
  if (count > 0) return {TlsStream::Outcome::done, static_cast<std::size_t>(count)};
  if (count == 0) return {TlsStream::Outcome::closed};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {wait};
  throw_system_error(errno, "a connection");
}

bool is_too_long(const error_code& fault) {
  return fault == http::error::header_limit || fault == http::error::buffer_overflow;
}

}  // namespace

bool BodyBudget::take(std::size_t bytes) {
  std::size_t left = left_;
  while (left >= bytes) {
    if (left_.compare_exchange_weak(left, left - bytes)) return true;
  }
  return false;
}

HttpConnection::HttpConnection(tcp::socket socket, std::shared_ptr<HttpShared> shared)
    : socket_(std::move(socket)), shared_(std::move(shared)), buffer_(shared_->limits.head_bytes) {
  error_code ignored;
  socket_.native_non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  set_idle(true);
}

void HttpConnection::set_idle(bool idle) {
  idle_since_ = idle ? std::chrono::steady_clock::now().time_since_epoch().count() : 0;
}

std::optional<Deadline> HttpConnection::idle_since() const {
  const Deadline::rep since = idle_since_;
  if (since == 0) return std::nullopt;
  return Deadline(Deadline::duration(since));
}

void HttpConnection::end() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->ends_ = true;
    error_code ignored;
    if (!self->answers_) self->socket_.close(ignored);
  });
}

asio::awaitable<void> HttpConnection::run(std::shared_ptr<HttpConnection> self) {
  co_await self->serve();
}

asio::awaitable<void> HttpConnection::serve() {
  if (shared_->tls) co_await handshake();
  while (co_await serve_one()) set_idle(true);
  if (tls_) tls_->goodbye();
  error_code ignored;
  socket_.close(ignored);
}

asio::awaitable<void> HttpConnection::handshake() {
  const Deadline deadline = deadline_after(shared_->limits.head_time);
  tls_.emplace(*shared_->tls, socket_.native_handle(), "a client");
  for (;;) {
    const TlsStream::Result result = tls_->handshake();
    if (result.outcome == Outcome::done) co_return;
    co_await wait(result.outcome, deadline);
  }
}

/// Whether another request may come.
asio::awaitable<bool> HttpConnection::serve_one() {
  if (!co_await read_head()) co_return false;
  set_idle(false);
  std::optional<HttpResponse> refusal = shared_->handler->refusal(request_);
  if (!refusal && chunked_) {
    refusal = shared_->handler->fault(411, "say how long the body is: Content-Length");
  } else if (!refusal && content_length_.value_or(0) > shared_->limits.body_bytes) {
    refusal =
        shared_->handler->fault(413, "the body has " + std::to_string(*content_length_) + " bytes, " +
                                         std::to_string(shared_->limits.body_bytes) + " at most are taken");
  }
  const bool has_body = chunked_ || body_length() > 0;
  if (refusal && has_body) {
    co_await refuse(std::move(*refusal));
    co_return false;
  }
  if (refusal) {
    co_await write(*refusal);
    co_return keep_alive_;
  }
  if (!shared_->bodies.take(body_length())) {
    HttpResponse busy = shared_->handler->fault(503, "too much is being answered; ask again");
    co_await refuse(std::move(busy));
    co_return false;
  }
  const std::shared_ptr<void> taken(
      nullptr, [shared = shared_, bytes = body_length()](void*) { shared->bodies.give_back(bytes); });
  if (!co_await read_body()) co_return false;
  answers_ = true;
  const HttpResponse response = co_await ask();
  co_await write(response);
  answers_ = false;
  co_return keep_alive_;
}

asio::awaitable<bool> HttpConnection::read_head() {
  const HttpLimits& limits = shared_->limits;
  Deadline deadline = deadline_after(filled_ > 0 ? limits.head_time : limits.idle_time);
  for (;;) {
    http::request_parser<http::empty_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(limits.head_bytes));
    parser.body_limit(boost::none);
    error_code fault;
    const std::size_t used =
        filled_ == 0 ? 0 : parser.put(asio::const_buffer(buffer_.data(), filled_), fault);
    if (parser.is_header_done()) {
      std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(used),
                buffer_.begin() + static_cast<std::ptrdiff_t>(filled_), buffer_.begin());
      filled_ -= used;
      const auto& head = parser.get();
      request_ = {std::string(head.method_string()), std::string(head.target()), {}, {}};
      for (const auto& field : head)
        request_.fields.emplace_back(std::string(field.name_string()), std::string(field.value()));
      chunked_ = parser.chunked();
      content_length_ =
          parser.content_length() ? std::optional<std::uint64_t>(*parser.content_length()) : std::nullopt;
      keep_alive_ = head.keep_alive() && limits.keep_alive;
      co_return true;
    }
    if (fault == http::error::need_more) fault = {};
    if (!fault && filled_ == buffer_.size()) fault = http::error::header_limit;
    if (fault) {
      HttpResponse told = is_too_long(fault) ? shared_->handler->fault(431, "the request's head is too long")
                                             : shared_->handler->fault(400, "this is no HTTP request");
      co_await refuse(std::move(told));
      co_return false;
    }
    const bool begins = filled_ == 0;
    const std::size_t count = co_await read_some(std::span(buffer_).subspan(filled_), deadline);
    if (count == 0) co_return false;
    if (begins) deadline = deadline_after(limits.head_time);
    filled_ += count;
  }
}

asio::awaitable<bool> HttpConnection::read_body() {
  const Deadline deadline = deadline_after(shared_->limits.body_time);
  if (body_length() == 0) co_return true;
  if (const auto expected = request_.field("Expect"); expected && *expected == "100-continue")
    co_await send(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"), deadline);
  Bytes& body = request_.body;
  const std::size_t early = std::min(filled_, body_length());
  const auto begin = buffer_.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(early);
  body.reserve(std::min(body_length(), body_step));
  body.assign(begin, end);
  std::copy(end, begin + static_cast<std::ptrdiff_t>(filled_), begin);
  filled_ -= early;
  while (body.size() < body_length()) {
    const std::size_t had = body.size();
    body.resize(std::min(body_length(), had + std::max(had, body_step)));
    std::size_t have = had;
    while (have < body.size()) {
      const std::size_t count = co_await read_some(std::span(body).subspan(have), deadline);
      if (count == 0) co_return false;
      have += count;
    }
  }
  co_return true;
}

asio::awaitable<HttpResponse> HttpConnection::ask() {
  auto initiate = [this](auto handler) {
    // What is called once and cannot be copied, as a function that can.
    const auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    shared_->handler->answer(
        std::move(request_), [shared, executor = socket_.get_executor()](HttpResponse response) {
          asio::defer(executor,
                      [shared, response = std::move(response)]() mutable { (*shared)(std::move(response)); });
        });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(HttpResponse)>(
      std::move(initiate), asio::use_awaitable);
}

std::string HttpConnection::head_of(const HttpResponse& response) const {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += std::string_view(http::obsolete_reason(static_cast<http::status>(response.status)));
  head += "\r\nContent-Type: " + response.content_type +
          "\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\nCache-Control: no-store\r\n";
  for (const auto& [name, value] : response.fields) head += name + ": " + value + "\r\n";
  head += keep_alive_ ? "\r\n" : "Connection: close\r\n\r\n";
  return head;
}

asio::awaitable<void> HttpConnection::write(const HttpResponse& response) {
  const Deadline deadline = deadline_after(shared_->limits.write_time);
  if (ends_ || shared_->stopped) keep_alive_ = false;
  std::string head = head_of(response);
  const bool goes_alone = request_.method == "HEAD";
  const ByteView body = goes_alone ? ByteView() : ByteView(response.body);
  if (body.size() > small_body) {
    co_await send(as_bytes(head), deadline);
    co_await send(body, deadline);
  } else {
    head += as_text(body);
    co_await send(as_bytes(head), deadline);
  }
}

asio::awaitable<void> HttpConnection::refuse(HttpResponse response) {
  keep_alive_ = false;
  co_await write(response);
  co_await linger();
}

asio::awaitable<void> HttpConnection::linger() {
  error_code ignored;
  if (tls_) tls_->goodbye();
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  const Deadline deadline = deadline_after(linger_time);
  std::array<std::byte, 4096> rest{};
  for (std::size_t i = 0; i < linger_reads; ++i) {
    if (co_await read_some(rest, deadline) == 0) co_return;
  }
}

asio::awaitable<std::size_t> HttpConnection::read_some(std::span<std::byte> space, Deadline deadline) {
  for (;;) {
    const TlsStream::Result result = try_read(space);
    if (result.outcome == Outcome::done) co_return result.count;
    if (result.outcome == Outcome::closed) co_return 0;
    co_await wait(result.outcome, deadline);
  }
}

asio::awaitable<void> HttpConnection::send(ByteView bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const TlsStream::Result result = try_write(bytes);
    if (result.outcome == Outcome::closed) throw Error(ErrorCode::unavailable, "the client has gone");
    if (result.outcome == Outcome::done) {
      bytes = bytes.subspan(result.count);
    } else {
      co_await wait(result.outcome, deadline);
    }
  }
}

asio::awaitable<void> HttpConnection::wait(Outcome outcome, Deadline deadline) {
  const auto what = outcome == Outcome::want_read ? tcp::socket::wait_read : tcp::socket::wait_write;
  const Waited waited = co_await wait_for(socket_, what, deadline);
  if (waited == Waited::timeout) throw Error(ErrorCode::timeout, "a client took too long");
  if (waited == Waited::cancelled) throw Error(ErrorCode::cancelled, "the connection was closed");
}

TlsStream::Result HttpConnection::try_read(std::span<std::byte> space) {
  if (tls_) return tls_->read(space);
  return outcome_of(::recv(socket_.native_handle(), space.data(), space.size(), MSG_DONTWAIT),
                    Outcome::want_read);
}

TlsStream::Result HttpConnection::try_write(ByteView bytes) {
  if (tls_) return tls_->write(bytes);
  return outcome_of(::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL),
                    Outcome::want_write);
}

}  // namespace fl::net
