#include "server/fleet/fleet.h"

#include <map>
#include <set>

#include <boost/asio/steady_timer.hpp>
#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/net/connection.h"
#include "common/net/listening.h"
#include "server/entrance/entrance.h"
#include "server/entrance/rate_limiter.h"
#include "server/entrance/refusals.h"
#include "server/fleet/certificate_office.h"
#include "server/fleet/enrolment.h"
#include "server/fleet/session.h"
#include "server/fleet/task_directory.h"
#include "server/fleet/transfer_slots.h"

namespace fl::server {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds drain_time{10};
// Devices whose rate of connecting is remembered, those that came last.
constexpr std::size_t most_device_rates = 65'536;
// Of the connections that are refused, so many at a time are told why.
constexpr std::size_t most_unwelcome = 64;

}  // namespace

struct Fleet::State : std::enable_shared_from_this<Fleet::State> {
  explicit State(const Parts& given)
      : parts(given),
        identity(given.home.server_identity()),
        authority(given.home.authority()),
        certificates(given.ledger, given.clock, authority,
                     std::chrono::hours(24) * given.home.config().device_certificate_days),
        slots(given.home.config().max_transfers),
        refusals(given.context, given.metrics, given.log),
        device_rates(given.home.config().device_connections_per_minute, most_device_rates),
        entrance(make_entrance()),
        drain_timer(given.context) {}

  std::shared_ptr<Entrance> make_entrance();
  asio::awaitable<void> serve_device(std::unique_ptr<net::Connection> connection);
  std::optional<Objection> objection_to(const std::string& device);
  void ended();
  void start_task(const std::string& name);

  Parts parts;
  net::Identity identity;
  net::Identity authority;
  CertificateOffice certificates;
  TransferSlots slots;
  Refusals refusals;
  RateLimiter device_rates;
  std::shared_ptr<Entrance> entrance;
  asio::steady_timer drain_timer;
  TaskDirectory tasks;
  std::map<std::string, std::shared_ptr<Session>> sessions;  // by device
  std::size_t unwelcome = 0;  // connections that are only told why they are refused
  bool draining = false;
};

std::shared_ptr<Entrance> Fleet::State::make_entrance() {
  const ServerConfig& config = parts.home.config();
  HandshakeGate::Limits limits;
  limits.handshakes = config.max_handshakes;
  limits.handshakes_of_an_address = config.max_address_handshakes;
  limits.connections_a_minute = config.address_connections_per_minute;
  auto enrol = [this](net::Connection& connection) {
    return enrol_device(connection, certificates, parts.registry.public_key(), refusals, parts.metrics,
                        parts.log);
  };
  auto serve = [this](std::unique_ptr<net::Connection> connection) {
    return serve_device(std::move(connection));
  };
  return std::make_shared<Entrance>(
      Entrance::Parts{parts.context, net::TlsContext::for_server(identity, authority.certificate), refusals,
                      parts.metrics, parts.log, std::move(enrol), std::move(serve), [this] { ended(); }},
      net::listen_on(parts.context, config.listen, "free the port or set another with --listen"), limits);
}

void Fleet::State::ended() {
  if (draining && entrance->connections() == 0) drain_timer.cancel();
}

asio::awaitable<void> Fleet::State::serve_device(std::unique_ptr<net::Connection> connection) {
  const auto self = shared_from_this();
  const std::string device = connection->peer_certificate().value().common_name();
  const std::optional<Objection> objection = objection_to(device);
  if (objection && unwelcome >= most_unwelcome) {
    refusals.note(Stage::session, objection->reason, device,
                  fmt::format("device={} address={}: closed at once: {}", device, connection->peer_address(),
                              objection->sentence));
    co_return;
  }
  const auto session =
      std::make_shared<Session>(Session::Parts{parts.context, tasks, parts.spool, certificates, slots,
                                               parts.workers, parts.clock, parts.log, refusals},
                                std::move(connection), device, objection);
  unwelcome += objection ? 1 : 0;
  if (!objection) {
    // A device that comes back before its old connection was noticed to be dead takes its place.
    if (const auto old = sessions.find(device); old != sessions.end()) old->second->close();
    sessions[device] = session;
  }
  if (draining) session->close_when_idle();
  co_await session->run();
  unwelcome -= objection ? 1 : 0;
  const auto found = sessions.find(device);
  if (found != sessions.end() && found->second == session) sessions.erase(found);
}

std::optional<Objection> Fleet::State::objection_to(const std::string& device) {
  const ServerConfig& config = parts.home.config();
  if (!device_rates.take(device, RateLimiter::Moment::clock::now())) {
    return Objection{"device_rate", "a device may connect " +
                                        std::to_string(config.device_connections_per_minute) +
                                        " times a minute; come back later"};
  }
  if (sessions.size() >= config.max_connections && !sessions.contains(device)) {
    return Objection{"connections_full", "the server has as many devices as it takes (max-connections = " +
                                             std::to_string(config.max_connections) + "); come back later"};
  }
  return std::nullopt;
}

void Fleet::State::start_task(const std::string& name) {
  const std::optional<TaskRecord> task = parts.ledger.task(name);
  if (!task) throw Error(ErrorCode::not_found, "there is no task '" + name + "'");
  const auto runner = std::make_shared<TaskRunner>(
      TaskRunner::Parts{parts.context, parts.workers, parts.ledger, parts.blobs, parts.spool, parts.registry,
                        parts.clock, parts.log, parts.metrics},
      *task);
  runner->start();
  tasks.add(name, runner);
}

Fleet::Fleet(const Parts& parts) : state_(std::make_shared<State>(parts)) {
  for (const TaskRecord& task : parts.ledger.tasks()) state_->start_task(task.name);
  state_->entrance->open();
}

Fleet::~Fleet() {
  state_->tasks.stop();
  state_->parts.workers.join();
}

std::uint16_t Fleet::port() const {
  return state_->entrance->port();
}

std::size_t Fleet::connections() const {
  return state_->sessions.size();
}

std::uint64_t Fleet::departures() const {
  return state_->entrance->departures();
}

std::string Fleet::round_state(const std::string& task) const {
  const auto runner = state_->tasks.find(task);
  return runner ? runner->state() : "not running";
}

void Fleet::measure() const {
  state_->parts.metrics.set_connections(state_->entrance->strangers(), state_->sessions.size());
  for (const std::string& name : state_->tasks.names()) state_->tasks.find(name)->measure();
}

void Fleet::start_task(const std::string& task) {
  state_->start_task(task);
  for (const auto& [device, session] : state_->sessions) session->task_added(task);
}

void Fleet::disconnect(const std::string& device) {
  const auto found = state_->sessions.find(device);
  if (found != state_->sessions.end()) found->second->close();
}

void Fleet::drain() {
  if (state_->draining) return;
  state_->draining = true;
  state_->entrance->close();
  state_->tasks.stop();
  state_->refusals.stop();
  const auto sessions = state_->sessions;  // closing may end a session and change the map
  for (const auto& [device, session] : sessions) session->close_when_idle();
  if (state_->entrance->connections() == 0) return;
  state_->drain_timer.expires_after(drain_time);
  state_->drain_timer.async_wait([state = state_](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    const auto late = state->sessions;
    for (const auto& [device, session] : late) session->close();
  });
}

}  // namespace fl::server
