#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/logger.h>

#include "common/net/connection.h"
#include "server/entrance/handshake_gate.h"
#include "server/entrance/refusals.h"
#include "server/metrics/metrics.h"

namespace fl::server {

/// The devices' door: listens, keeps strangers within a gate's bounds, shakes hands, and hands over whoever
/// comes through.
///
/// Always held by shared_ptr. On the one thread of `context`. Refers to what it is given, which outlives it.
class Entrance : public std::enable_shared_from_this<Entrance> {
 public:
  using Awaitable = boost::asio::awaitable<void>;

  struct Parts {
    boost::asio::io_context& context;
    net::TlsContext tls;
    Refusals& refusals;
    Metrics& metrics;
    std::shared_ptr<spdlog::logger> log;
    /// Enrols a peer, which is a stranger as long as this takes; what it throws is logged.
    std::function<Awaitable(net::Connection&)> enrol;
    /// Serves a device, whose certificate has been verified, for as long as its connection lasts.
    std::function<Awaitable(std::unique_ptr<net::Connection>)> serve;
    /// Is called after the end of each connection that was let in.
    std::function<void()> ended;
  };

  Entrance(Parts parts, boost::asio::ip::tcp::acceptor acceptor, const HandshakeGate::Limits& limits);

  /// Begins to let peers in. Call once.
  void open();
  /// Lets nobody in any more; those who are in stay.
  void close();

  std::uint16_t port() const;
  /// Those who have not shown who they are.
  std::size_t strangers() const { return gate_.handshakes(); }
  /// All that were let in and have not ended.
  std::size_t connections() const { return connections_; }
  /// How many of those that were let in have ended since the beginning.
  std::uint64_t departures() const { return departures_; }

 private:
  struct Visit;

  Awaitable accept_loop();
  void take(boost::asio::ip::tcp::socket socket);
  void send_away(HandshakeGate::Id id);
  Awaitable receive(boost::asio::ip::tcp::socket socket, std::shared_ptr<Visit> visit);
  Awaitable shake_hands(boost::asio::ip::tcp::socket socket, std::shared_ptr<Visit> visit);
  void known(const Visit& visit);
  void leave(const Visit& visit);

  Parts parts_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  HandshakeGate gate_;
  std::map<HandshakeGate::Id, std::shared_ptr<Visit>> strangers_;
  std::size_t connections_ = 0;
  std::uint64_t departures_ = 0;
  bool closed_ = false;
};

}  // namespace fl::server
