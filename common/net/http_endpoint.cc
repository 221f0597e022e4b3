#include "common/net/http_endpoint.h"

#include <algorithm>
#include <list>
#include <mutex>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/net/http_connection.h"

namespace fl::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// After a failed accept, for example with no file descriptors left.
constexpr std::chrono::seconds accept_retry{1};

using ConnectionPtr = std::shared_ptr<HttpConnection>;

}  // namespace

struct HttpEndpoint::State : std::enable_shared_from_this<State> {
  State(const asio::any_io_executor& its_executor, tcp::acceptor its_acceptor,
        std::shared_ptr<HttpShared> its_shared)
      : executor(its_executor),
        strand(asio::make_strand(its_executor)),
        acceptor(std::move(its_acceptor)),
        retry(strand),
        shared(std::move(its_shared)) {}

  asio::awaitable<void> accept_loop();
  bool try_take(tcp::socket socket);
  bool add(const ConnectionPtr& connection);
  void make_room();
  void remove(const ConnectionPtr& connection);
  void stop();

  asio::any_io_executor executor;
  asio::strand<asio::any_io_executor> strand;  // of the acceptor
  tcp::acceptor acceptor;
  asio::steady_timer retry;
  const std::shared_ptr<HttpShared> shared;
  mutable std::mutex mutex;  // guards what follows
  std::list<ConnectionPtr> open;
  Deadline last_departure = std::chrono::steady_clock::now();
};

asio::awaitable<void> HttpEndpoint::State::accept_loop() {
  const auto self = shared_from_this();
  while (!shared->stopped) {
    error_code error;
    tcp::socket socket(asio::make_strand(executor));
    co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (shared->stopped) co_return;
    if (!error && try_take(std::move(socket))) continue;
    retry.expires_after(accept_retry);
    co_await retry.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

/// False where there is no memory for it: then it has gone.
bool HttpEndpoint::State::try_take(tcp::socket socket) {
  try {
    const auto where = socket.get_executor();
    const auto connection = std::make_shared<HttpConnection>(std::move(socket), shared);
    if (!add(connection)) return true;
    asio::co_spawn(
        where, [connection] { return HttpConnection::run(connection); },
        [self = shared_from_this(), connection](const std::exception_ptr&) { self->remove(connection); });
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

bool HttpEndpoint::State::add(const ConnectionPtr& connection) {
  const std::scoped_lock lock(mutex);
  if (shared->stopped) return false;  // and stop() has ended those that are open
  make_room();
  if (open.size() >= shared->limits.connections) return false;
  open.push_back(connection);
  return true;
}

/// Has who has been idle longest make way, where nothing is left.
void HttpEndpoint::State::make_room() {
  if (open.size() < shared->limits.connections) return;
  auto longest = open.end();
  Deadline since = Deadline::max();
  for (auto each = open.begin(); each != open.end(); ++each) {
    const std::optional<Deadline> idle = (*each)->idle_since();
    if (!idle || *idle >= since) continue;
    since = *idle;
    longest = each;
  }
  if (longest == open.end()) return;
  (*longest)->end();
  open.erase(longest);
}

void HttpEndpoint::State::remove(const ConnectionPtr& connection) {
  const std::scoped_lock lock(mutex);
  open.remove(connection);
  last_departure = std::chrono::steady_clock::now();
}

void HttpEndpoint::State::stop() {
  shared->stopped = true;
  asio::post(strand, [self = shared_from_this()] {
    error_code ignored;
    self->acceptor.close(ignored);
    self->retry.cancel();
  });
  const std::scoped_lock lock(mutex);
  for (const ConnectionPtr& connection : open) connection->end();
}

HttpEndpoint::HttpEndpoint(const asio::any_io_executor& executor, tcp::acceptor acceptor,
                           std::shared_ptr<HttpHandler> handler, std::optional<TlsContext> tls,
                           const HttpLimits& limits)
    : port_(acceptor.local_endpoint().port()),
      state_(
          std::make_shared<State>(executor, std::move(acceptor),
                                  std::make_shared<HttpShared>(std::move(handler), std::move(tls), limits))) {
  asio::co_spawn(state_->strand, [state = state_] { return state->accept_loop(); }, asio::detached);
}

HttpEndpoint::~HttpEndpoint() {
  state_->stop();
}

std::optional<std::chrono::steady_clock::time_point> HttpEndpoint::idle_since() const {
  const std::scoped_lock lock(state_->mutex);
  Deadline latest = state_->last_departure;
  for (const ConnectionPtr& connection : state_->open) {
    const std::optional<Deadline> since = connection->idle_since();
    if (!since) return std::nullopt;
    latest = std::max(latest, *since);
  }
  return latest;
}

}  // namespace fl::net
