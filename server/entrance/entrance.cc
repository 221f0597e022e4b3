#include "server/entrance/entrance.h"

#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/net/listening.h"
#include "protocol/limits.h"

namespace fl::server {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

// After a failed accept, for example with no file descriptors left.
constexpr std::chrono::seconds accept_retry{1};

/// Why a stranger came no further, as the metrics name it.
std::string_view reason_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::cancelled:
      return "made_way";
    case ErrorCode::unavailable:
      return "peer_left";
    default:
      return name(code);
  }
}

}  // namespace

/// A peer that has been let in.
struct Entrance::Visit {
  HandshakeGate::Id id = 0;
  std::string address;
  std::string host;
  Stage stage = Stage::handshake;
  Stopwatch since;
  asio::cancellation_signal end;
};

Entrance::Entrance(Parts parts, tcp::acceptor acceptor, const HandshakeGate::Limits& limits)
    : parts_(std::move(parts)), acceptor_(std::move(acceptor)), retry_(parts_.context), gate_(limits) {}

void Entrance::open() {
  asio::co_spawn(parts_.context, [self = shared_from_this()] { return self->accept_loop(); }, asio::detached);
}

void Entrance::close() {
  closed_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
}

std::uint16_t Entrance::port() const {
  return acceptor_.local_endpoint().port();
}

asio::awaitable<void> Entrance::accept_loop() {
  const auto self = shared_from_this();
  while (!closed_) {
    boost::system::error_code error;
    tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (closed_) co_return;
    if (!error) {
      take(std::move(socket));
      continue;
    }
    parts_.log->error(fmt::format("accepting a connection failed: {}", error.message()));
    retry_.expires_after(accept_retry);
    co_await retry_.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

void Entrance::take(tcp::socket socket) {
  parts_.metrics.connection_came();
  boost::system::error_code gone;
  const tcp::endpoint remote = socket.remote_endpoint(gone);
  if (gone) return;
  const auto visit = std::make_shared<Visit>();
  visit->host = remote.address().to_string();
  visit->address = net::Endpoint{visit->host, remote.port()}.text();
  const HandshakeGate::Answer answer = gate_.arrive(remote.address(), HandshakeGate::Moment::clock::now());
  if (answer.refused) {
    parts_.refusals.note(
        Stage::arrival, name(*answer.refused), visit->host,
        fmt::format("address={}: closed at once: {}", visit->address, sentence(*answer.refused)));
    return net::turn_away(std::move(socket));
  }
  if (answer.makes_way) send_away(*answer.makes_way);
  visit->id = answer.id;
  strangers_[visit->id] = visit;
  ++connections_;
  asio::co_spawn(
      parts_.context,
      [self = shared_from_this(), visit, socket = std::move(socket)]() mutable {
        return self->receive(std::move(socket), visit);
      },
      asio::bind_cancellation_slot(
          visit->end.slot(),
          [self = shared_from_this(), visit](const std::exception_ptr&) { self->leave(*visit); }));
}

void Entrance::send_away(HandshakeGate::Id id) {
  const auto found = strangers_.find(id);
  if (found == strangers_.end()) return;
  const auto visit = std::move(found->second);
  strangers_.erase(found);
  visit->end.emit(asio::cancellation_type::terminal);
}

asio::awaitable<void> Entrance::receive(tcp::socket socket, std::shared_ptr<Visit> visit) {
  try {
    co_await shake_hands(std::move(socket), visit);
  } catch (const Error& error) {
    const bool made_way = error.code() == ErrorCode::cancelled;
    parts_.refusals.note(visit->stage, reason_of(error.code()), visit->host,
                         fmt::format("address={}: connection closed: {}", visit->address,
                                     made_way ? "it was slow while others waited" : error.what()));
  } catch (const std::exception& error) {
    parts_.log->error(fmt::format("address={}: connection closed: {}", visit->address, error.what()));
  }
}

asio::awaitable<void> Entrance::shake_hands(tcp::socket socket, std::shared_ptr<Visit> visit) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  auto connection = co_await net::Connection::accept(std::move(socket), parts_.tls, limits::handshake_time);
  parts_.metrics.handshake_took(visit->since.passed());
  if (connection->alpn() == net::alpn_enrolment) {
    visit->stage = Stage::enrolment;
    Awaitable enrolling = parts_.enrol(*connection);
    co_await std::move(enrolling);
  } else {
    visit->stage = Stage::session;
    known(*visit);
    Awaitable serving = parts_.serve(std::move(connection));
    co_await std::move(serving);
  }
}

void Entrance::known(const Visit& visit) {
  gate_.leave(visit.id);
  strangers_.erase(visit.id);
}

void Entrance::leave(const Visit& visit) {
  known(visit);
  --connections_;
  ++departures_;
  parts_.ended();
}

}  // namespace fl::server
