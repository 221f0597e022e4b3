#include "tests/e2e/crowd.h"

#include <array>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include "tests/unit/net/raw_tls.h"

namespace fl::test {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::size_t addresses = 4;

Task<> wait_a_second() {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1s);
  co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace

struct Crowd::Peer {
  Peers does;
  net::Endpoint server;
  std::string from;

  /// One visit, until the server ends it.
  Task<> pay_visit(Loopback& loopback) const;
  Task<> visit() const;
  Task<> visit_with_handshake(Loopback& loopback) const;
};

Task<> Crowd::Peer::pay_visit(Loopback& loopback) const {
  Task<> visiting = does.shakes_hands ? visit_with_handshake(loopback) : visit();
  try {
    co_await std::move(visiting);
  } catch (const boost::system::system_error&) {
    co_return;  // it was thrown out
  }
}

Task<> Crowd::Peer::visit() const {
  tcp::socket socket(co_await asio::this_coro::executor, tcp::v4());
  socket.bind({asio::ip::make_address(from), 0});
  const tcp::endpoint endpoint(asio::ip::make_address(server.host), server.port);
  co_await socket.async_connect(endpoint, asio::use_awaitable);
  const auto first = asio::buffer(does.first);
  co_await asio::async_write(socket, first, asio::use_awaitable);
  const std::string drop(1, '\0');
  const auto next = asio::buffer(drop);
  while (does.drips) {
    co_await wait_a_second();
    co_await asio::async_write(socket, next, asio::use_awaitable);
  }
  std::array<char, 256> answer{};
  const auto space = asio::buffer(answer);
  for (;;) co_await socket.async_read_some(space, asio::use_awaitable);
}

Task<> Crowd::Peer::visit_with_handshake(Loopback& loopback) const {
  RawOptions options;
  options.alpn =
      "\x0b"
      "fl-enroll/1";
  options.from = from;
  RawTls tls(loopback, server, options);
  if (!co_await tls.handshake()) co_return;
  co_await tls.write(as_bytes(does.first));
  co_await tls.read_to_end();
}

Task<> Crowd::come_again_and_again(Peer peer) {
  for (;;) {
    co_await peer.pay_visit(loopback_);
    co_await wait_a_second();
  }
}

Crowd::Crowd(std::uint16_t port, const std::vector<Peers>& groups) {
  for (const Peers& peers : groups) {
    for (std::size_t i = 0; i < peers.count; ++i) {
      const std::string network = "127." + std::to_string(peers.network) + ".0.";
      Peer peer{peers, {"127.0.0.1", port}, network + std::to_string(i % addresses + 1)};
      asio::co_spawn(loopback_.context(), come_again_and_again(std::move(peer)), asio::detached);
    }
  }
  thread_ = std::thread([this] { loopback_.context().run(); });
}

Crowd::~Crowd() {
  loopback_.context().stop();
  thread_.join();
}

}  // namespace fl::test
