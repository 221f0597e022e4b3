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
#include "common/base/text.h"

namespace fl::net {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// For a peer to read its answer before the connection goes: a close while it sends would take that from it.
constexpr std::chrono::seconds linger_time{2};
constexpr std::size_t linger_bytes = std::size_t{256} << 20U;
constexpr std::size_t linger_step = std::size_t{64} << 10U;
// A body that is refused is read away up to here, so that its connection can go on.
constexpr std::size_t small_refused_body = std::size_t{1} << 20U;
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

bool BodyBudget::Share::grow_to(std::size_t bytes) {
  const std::size_t more = bytes - taken_;
  std::size_t left = budget_.left_;
  while (left >= more) {
    if (!budget_.left_.compare_exchange_weak(left, left - more)) continue;
    taken_ = bytes;
    return true;
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

// The descriptor stays open until the coroutine, which may be about to use it, has ended.
void HttpConnection::end() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->ends_ = true;
    error_code ignored;
    if (!self->answers_) self->socket_.shutdown(tcp::socket::shutdown_both, ignored);
  });
}

asio::awaitable<void> HttpConnection::run(std::shared_ptr<HttpConnection> self) {
  co_await self->serve();
}

asio::awaitable<void> HttpConnection::serve() {
  if (shared_->tls) co_await handshake();
  for (bool goes_on = true; goes_on;) {
    goes_on = co_await serve_one();
    goes_on = goes_on && !ends_ && !shared_->stopped;
    set_idle(true);
  }
  if (tls_ && !lingered_) tls_->goodbye();
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

asio::awaitable<bool> HttpConnection::serve_one() {
  const bool has_request = co_await read_head();
  if (!has_request) co_return false;
  set_idle(false);
  std::optional<HttpResponse> refused = refusal();
  if (refused) {
    const bool goes_on = co_await refuse_head(std::move(*refused));
    co_return goes_on;
  }
  BodyBudget::Share share(shared_->bodies);
  const bool is_whole = co_await read_body(share);
  if (!is_whole) co_return false;
  answers_ = true;
  const HttpResponse response = co_await ask();
  co_await write(response);
  answers_ = false;
  co_return keep_alive_;
}

std::optional<HttpResponse> HttpConnection::refusal() const {
  std::optional<HttpResponse> refused = shared_->handler->refusal(request_);
  if (refused) return refused;
  if (is_encoded_)
    return shared_->handler->fault(411, "say how long the body is, by Content-Length", request_);
  if (content_length_.value_or(0) <= shared_->limits.body_bytes) return std::nullopt;
  return shared_->handler->fault(413,
                                 "the body has " + std::to_string(*content_length_) + " bytes, " +
                                     std::to_string(shared_->limits.body_bytes) + " at most are taken",
                                 request_);
}

asio::awaitable<bool> HttpConnection::refuse_head(HttpResponse response) {
  const bool is_small = !is_encoded_ && content_length_.value_or(0) <= small_refused_body;
  // Whoever waits to be asked for the body may send it after all, or not.
  if (!is_small || request_.field("Expect")) {
    co_await refuse(std::move(response));
    co_return false;
  }
  set_idle(true);  // who is refused makes way for others
  const bool is_whole = co_await skip_body();
  if (!is_whole) co_return false;
  co_await write(response);
  co_return keep_alive_;
}

asio::awaitable<bool> HttpConnection::read_head() {
  const HttpLimits& limits = shared_->limits;
  request_ = {};
  wants_body_ = true;
  Deadline deadline = deadline_after(filled_ > 0 ? limits.head_time : limits.idle_time);
  for (;;) {
    error_code fault = parse_head();
    if (has_head_) co_return true;
    if (!fault && filled_ == buffer_.size()) fault = http::error::header_limit;
    if (fault) {
      HttpResponse told = is_too_long(fault)
                              ? shared_->handler->fault(431, "the request's head is too long", request_)
                              : shared_->handler->fault(400, "this is no HTTP request", request_);
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

error_code HttpConnection::parse_head() {
  has_head_ = false;
  // Parsed once, not with every byte that comes.
  const bool is_whole = as_text(ByteView(buffer_).first(filled_)).find("\r\n\r\n") != std::string_view::npos;
  if (!is_whole && filled_ < buffer_.size()) return {};
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(shared_->limits.head_bytes));
  parser.body_limit(boost::none);
  error_code fault;
  const std::size_t used = parser.put(asio::const_buffer(buffer_.data(), filled_), fault);
  has_head_ = parser.is_header_done();
  if (!has_head_) return fault == http::error::need_more ? error_code() : fault;
  forget(used);
  const auto& head = parser.get();
  request_.method = head.method_string();
  request_.target = head.target();
  for (const auto& field : head)
    request_.fields.emplace_back(std::string(field.name_string()), std::string(field.value()));
  is_encoded_ = request_.field("Transfer-Encoding").has_value();
  content_length_.reset();
  if (const auto length = parser.content_length()) content_length_ = *length;
  wants_body_ = request_.method != "HEAD";
  keep_alive_ = head.keep_alive() && shared_->limits.keep_alive;
  return {};
}

void HttpConnection::forget(std::size_t bytes) {
  const auto begin = buffer_.begin();
  std::copy(begin + static_cast<std::ptrdiff_t>(bytes), begin + static_cast<std::ptrdiff_t>(filled_), begin);
  filled_ -= bytes;
}

asio::awaitable<bool> HttpConnection::read_body(BodyBudget::Share& share) {
  const Deadline deadline = deadline_after(shared_->limits.body_time);
  const std::size_t length = body_length();
  if (length == 0) co_return true;
  if (const auto expected = request_.field("Expect");
      expected && equal_ignoring_case(*expected, "100-continue"))
    co_await send(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"), deadline);
  Bytes& body = request_.body;
  std::size_t have = std::min(filled_, length);
  for (bool begins = true; begins || have < length; begins = false) {
    // Room is made for what comes next, not for all that was announced.
    const std::size_t room = std::min(length, have + std::max(have, body_step));
    if (!share.grow_to(room)) {
      HttpResponse busy =
          shared_->handler->fault(503, "too much is being answered; ask again in a moment", request_);
      co_await refuse(std::move(busy));
      co_return false;
    }
    body.resize(room);
    if (begins) {
      std::copy_n(buffer_.begin(), have, body.begin());
      forget(have);
    }
    while (have < room) {
      const std::size_t count = co_await read_some(std::span(body).subspan(have), deadline);
      if (count == 0) co_return false;
      have += count;
    }
  }
  co_return true;
}

asio::awaitable<bool> HttpConnection::skip_body() {
  const Deadline deadline = deadline_after(shared_->limits.head_time);
  std::size_t left = body_length();
  const std::size_t early = std::min(filled_, left);
  forget(early);
  left -= early;
  std::array<std::byte, 8192> ignored{};
  while (left > 0) {
    const std::size_t count =
        co_await read_some(std::span(ignored).first(std::min(left, ignored.size())), deadline);
    if (count == 0) co_return false;
    left -= count;
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
  head += "\r\nCache-Control: no-store\r\n";
  if (!response.content_type.empty()) {
    head += "Content-Type: " + response.content_type +
            "\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n";
  }
  for (const auto& [name, value] : response.fields)
    head.append(name).append(": ").append(value).append("\r\n");
  head += keep_alive_ ? "\r\n" : "Connection: close\r\n\r\n";
  return head;
}

asio::awaitable<void> HttpConnection::write(const HttpResponse& response) {
  const Deadline deadline = deadline_after(shared_->limits.write_time);
  if (ends_ || shared_->stopped) keep_alive_ = false;
  std::string head = head_of(response);
  const ByteView body = wants_body_ ? ByteView(response.body) : ByteView();
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
  set_idle(true);  // who is refused makes way for others
  co_await write(response);
  lingered_ = true;
  co_await linger();
}

asio::awaitable<void> HttpConnection::linger() {
  error_code ignored;
  if (tls_) tls_->goodbye();
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  const Deadline deadline = deadline_after(linger_time);
  Bytes rest(linger_step);
  for (std::size_t read = 0; read < linger_bytes;) {
    // Past TLS: what still comes is of no interest.
    const ssize_t count = ::recv(socket_.native_handle(), rest.data(), rest.size(), MSG_DONTWAIT);
    const TlsStream::Result result = outcome_of(count, Outcome::want_read);
    if (result.outcome == Outcome::closed) co_return;
    read += result.count;
    if (result.outcome == Outcome::want_read) co_await wait(result.outcome, deadline);
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
