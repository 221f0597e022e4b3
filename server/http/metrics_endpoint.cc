#include "server/http/metrics_endpoint.h"

#include <array>
#include <list>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "common/net/listening.h"

namespace fl::server {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

namespace {

// After a failed accept, for example with no file descriptors left.
constexpr std::chrono::seconds accept_retry{1};
// For a peer to read its answer before the connection goes, whatever it still sends.
constexpr std::chrono::seconds linger_time{1};
constexpr std::size_t linger_reads = 16;

using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

Response response_of(http::status status, std::string text) {
  Response response(status, 11);
  response.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
  response.set(http::field::cache_control, "no-store");
  response.keep_alive(false);
  response.body() = std::move(text);
  response.prepare_payload();
  return response;
}

/// Whether nobody is there to be answered: the peer has closed, or was too slow.
bool has_left(const error_code& fault) {
  if (fault == http::error::end_of_stream || fault == http::error::partial_message) return true;
  return fault && fault.category() != http::make_error_code(http::error::bad_method).category();
}

Response refusal_of(const error_code& fault) {
  const bool long_one = fault == http::error::header_limit || fault == http::error::buffer_overflow;
  if (long_one) {
    return response_of(http::status::request_header_fields_too_large, "the request is too long\n");
  }
  return response_of(http::status::bad_request, "this is no HTTP request\n");
}

Response answer(const Request& request, const std::function<std::string()>& text) {
  const std::string_view target(request.target().data(), request.target().size());
  if (target.substr(0, target.find('?')) != "/metrics") {
    return response_of(http::status::not_found, "there is /metrics and nothing else\n");
  }
  if (request.method() != http::verb::get) {
    Response response = response_of(http::status::method_not_allowed, "/metrics is read by GET\n");
    response.set(http::field::allow, "GET");
    return response;
  }
  return response_of(http::status::ok, text());
}

}  // namespace

struct MetricsEndpoint::State : std::enable_shared_from_this<State> {
  using Stream = std::shared_ptr<beast::tcp_stream>;

  State(asio::io_context& its_context, tcp::acceptor its_acceptor, std::function<std::string()> its_text,
        const Limits& its_limits)
      : context(its_context),
        acceptor(std::move(its_acceptor)),
        retry(context),
        text(std::move(its_text)),
        limits(its_limits) {}

  asio::awaitable<void> accept_loop();
  void take(tcp::socket socket);
  asio::awaitable<void> serve(Stream stream);
  asio::awaitable<void> linger(beast::tcp_stream& stream);
  void stop();

  asio::io_context& context;
  tcp::acceptor acceptor;
  asio::steady_timer retry;
  std::function<std::string()> text;
  Limits limits;
  std::list<Stream> open;  // the oldest first
  bool stopped = false;
};

asio::awaitable<void> MetricsEndpoint::State::accept_loop() {
  const auto self = shared_from_this();
  while (!stopped) {
    error_code error;
    tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (stopped) co_return;
    if (!error) {
      take(std::move(socket));
      continue;
    }
    retry.expires_after(accept_retry);
    co_await retry.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

void MetricsEndpoint::State::take(tcp::socket socket) {
  if (open.size() >= limits.connections) {
    open.front()->close();
    open.pop_front();
  }
  const auto stream = std::make_shared<beast::tcp_stream>(std::move(socket));
  open.push_back(stream);
  asio::co_spawn(
      context, [self = shared_from_this(), stream] { return self->serve(stream); },
      [self = shared_from_this(), stream](const std::exception_ptr&) {
        stream->close();
        self->open.remove(stream);
      });
}

asio::awaitable<void> MetricsEndpoint::State::serve(Stream stream) {
  beast::flat_buffer buffer(limits.request_bytes);
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits.request_bytes));
  error_code fault;
  stream->expires_after(limits.request_time);
  co_await http::async_read_header(*stream, buffer, parser, asio::redirect_error(asio::use_awaitable, fault));
  if (stopped || has_left(fault)) co_return;

  Response response = fault ? refusal_of(fault) : answer(parser.get(), text);
  stream->expires_after(limits.response_time);
  co_await http::async_write(*stream, response, asio::redirect_error(asio::use_awaitable, fault));
  if (!fault) co_await linger(*stream);
}

asio::awaitable<void> MetricsEndpoint::State::linger(beast::tcp_stream& stream) {
  error_code end;
  stream.socket().shutdown(tcp::socket::shutdown_send, end);
  stream.expires_after(linger_time);
  std::array<char, 4096> ignored{};
  for (std::size_t i = 0; i < linger_reads && !end; ++i) {
    co_await stream.async_read_some(asio::buffer(ignored), asio::redirect_error(asio::use_awaitable, end));
  }
}

void MetricsEndpoint::State::stop() {
  stopped = true;
  error_code ignored;
  acceptor.close(ignored);
  retry.cancel();
  for (const Stream& stream : open) stream->close();
}

MetricsEndpoint::MetricsEndpoint(asio::io_context& context, const net::Endpoint& endpoint,
                                 std::function<std::string()> text, const Limits& limits) {
  tcp::acceptor acceptor = net::listen_on(
      context, endpoint, "free the port, or set 'metrics' in fl-server.ini to another one or to off");
  state_ = std::make_shared<State>(context, std::move(acceptor), std::move(text), limits);
  asio::co_spawn(context, [state = state_] { return state->accept_loop(); }, asio::detached);
}

MetricsEndpoint::~MetricsEndpoint() {
  state_->stop();
}

std::uint16_t MetricsEndpoint::port() const {
  return state_->acceptor.local_endpoint().port();
}

}  // namespace fl::server
