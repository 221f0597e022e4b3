#include "common/net/connecting.h"

#include <cerrno>
#include <memory>
#include <sys/socket.h>
#include <vector>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/base/error.h"

namespace fl::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Addresses = std::vector<tcp::endpoint>;

// A lookup that is under way in a thread of its own, which nobody can stop: it is left behind at the
// deadline.
struct Lookup {
  explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), done(executor) {}

  tcp::resolver resolver;
  asio::steady_timer done;
  error_code error;
  Addresses addresses;
};

void begin(const std::shared_ptr<Lookup>& lookup, const Endpoint& server) {
  lookup->resolver.async_resolve(
      server.host, std::to_string(server.port), tcp::resolver::numeric_service,
      [lookup](const error_code& error, const tcp::resolver::results_type& results) {
        lookup->error = error;
        for (const auto& result : results) lookup->addresses.push_back(result.endpoint());
        lookup->done.expires_at(Deadline::min());
      });
}

asio::awaitable<Addresses> addresses_of(const Endpoint& server, Deadline deadline) {
  error_code error;
  const asio::ip::address address = asio::ip::make_address(server.host, error);
  if (!error) co_return Addresses(1, tcp::endpoint(address, server.port));

  const auto lookup = std::make_shared<Lookup>(co_await asio::this_coro::executor);
  lookup->done.expires_at(deadline);
  begin(lookup, server);
  co_await lookup->done.async_wait(asio::redirect_error(asio::use_awaitable, error));
  const std::string doing = "looking up " + server.host + ": ";
  if (lookup->error) throw Error(ErrorCode::unavailable, doing + lookup->error.message());
  if (lookup->addresses.empty() && error) throw Error(ErrorCode::cancelled, doing + "cancelled");
  if (lookup->addresses.empty()) throw Error(ErrorCode::timeout, doing + "no answer in time");
  co_return lookup->addresses;
}

int pending_error(tcp::socket& socket) {
  int number = 0;
  socklen_t size = sizeof(number);
  ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &number, &size);
  return number;
}

// 0, or an errno value; ECANCELED where the caller cancelled.
asio::awaitable<int> try_address(tcp::socket& socket, const tcp::endpoint& address, Deadline deadline) {
  error_code error;
  if (socket.open(address.protocol(), error)) co_return error.value();
  if (socket.native_non_blocking(true, error)) co_return error.value();
  const int started =
      ::connect(socket.native_handle(), address.data(), static_cast<socklen_t>(address.size()));
  if (started == 0) co_return 0;
  if (errno != EINPROGRESS) co_return errno;
  const Waited waited = co_await wait_for(socket, tcp::socket::wait_write, deadline);
  if (waited == Waited::timeout) co_return ETIMEDOUT;
  co_return waited == Waited::cancelled ? ECANCELED : pending_error(socket);
}

[[noreturn]] void throw_not_connected(const Endpoint& server, int number) {
  const std::string doing = "connecting to " + server.text();
  if (number == ECANCELED) throw Error(ErrorCode::cancelled, doing + ": cancelled");
  if (number == ETIMEDOUT) throw Error(ErrorCode::timeout, doing + ": no answer in time");
  throw_system_error(number, doing);
}

}  // namespace

asio::awaitable<tcp::socket> connect_socket(const Endpoint& server, Deadline deadline) {
  const Addresses addresses = co_await addresses_of(server, deadline);
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  int number = EHOSTUNREACH;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const Deadline now = std::chrono::steady_clock::now();
    const auto left = static_cast<Deadline::duration::rep>(addresses.size() - i);
    tcp::socket socket(executor);
    number = co_await try_address(socket, addresses[i], now + (deadline - now) / left);
    if (number == 0) co_return socket;
    if (number == ECANCELED) break;
  }
  throw_not_connected(server, number);
}

}  // namespace fl::net
