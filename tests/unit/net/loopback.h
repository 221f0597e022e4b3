#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/base/error.h"
#include "common/net/certificates.h"
#include "common/net/connection.h"
#include "protocol/limits.h"
#include "tests/unit/net/faults.h"

namespace fl::test {

using namespace std::chrono_literals;

template <typename Value = void>
using Task = boost::asio::awaitable<Value>;

inline net::Validity valid_now(std::chrono::hours lifetime = std::chrono::hours(24)) {
  return {SystemClock().now(), lifetime};
}

/// An authority with a server and a device of its own.
struct Fleet {
  net::Identity authority = net::make_authority("test authority", valid_now());
  net::Identity server = net::issue_server(authority, "127.0.0.1", valid_now());
  net::Identity device = make_device("device-1", valid_now());

  net::Identity make_device(const std::string& id, const net::Validity& validity) const {
    const net::PrivateKey key = net::PrivateKey::generate();
    return {net::issue_device(authority, net::make_request(key), id, validity), key};
  }
  net::TlsContext server_context() const {
    return net::TlsContext::for_server(server, authority.certificate);
  }
  net::TlsContext device_context() const {
    return net::TlsContext::for_device(device, authority.certificate);
  }
};

/// A listening socket on a free port of loopback, and the thread that runs both ends.
class Loopback {
 public:
  static constexpr auto limit = 20s;  // of what a test expects to succeed

  net::Endpoint endpoint() const { return {"127.0.0.1", acceptor_.local_endpoint().port()}; }

  Task<boost::asio::ip::tcp::socket> accept_socket() {
    co_return co_await acceptor_.async_accept(boost::asio::use_awaitable);
  }

  Task<std::unique_ptr<net::Connection>> accept(net::TlsContext tls, net::Connection::Duration time = limit) {
    boost::asio::ip::tcp::socket socket = co_await accept_socket();
    co_return co_await net::Connection::accept(std::move(socket), tls, time);
  }

  Task<std::unique_ptr<net::Connection>> connect(net::TlsContext tls,
                                                 net::Connection::Duration time = limit) {
    const net::Endpoint server = endpoint();
    co_return co_await net::Connection::connect(server, tls, time);
  }

  /// Runs coroutines, given as functions, side by side to their ends; throws what the first that failed
  /// threw.
  template <typename... Functions>
  void run(Functions... functions) {
    run_all({std::function<Task<>()>(std::move(functions))...});
  }

  boost::asio::io_context& context() { return context_; }

 private:
  void run_all(std::vector<std::function<Task<>()>> functions);

  boost::asio::io_context context_{1};
  boost::asio::ip::tcp::acceptor acceptor_{context_, {boost::asio::ip::address_v4::loopback(), 0}};
};

/// The Error of a task that is awaited; none where it ends well.
template <typename Value>
Task<std::optional<Error>> failure_of(Task<Value> task) {
  try {
    co_await std::move(task);
  } catch (const Error& error) {
    co_return error;
  }
  co_return std::nullopt;
}

/// Both ends of a connection on fl/1, with the limits of peers that know each other.
struct Pair {
  Pair(Loopback& loopback, const Fleet& fleet) {
    loopback.run([&]() -> Task<> { server = co_await loopback.accept(fleet.server_context()); },
                 [&]() -> Task<> { device = co_await loopback.connect(fleet.device_context()); });
    server->set_limits(limits::message_bytes, limits::chunk_bytes);
    device->set_limits(limits::message_bytes, limits::chunk_bytes);
  }

  std::unique_ptr<net::Connection> server;
  std::unique_ptr<net::Connection> device;
};

}  // namespace fl::test
