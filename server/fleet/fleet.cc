#include "server/fleet/fleet.h"

#include <map>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/net/connection.h"
#include "protocol/limits.h"
#include "server/fleet/certificate_office.h"
#include "server/fleet/enrolment.h"
#include "server/fleet/session.h"
#include "server/fleet/task_directory.h"
#include "server/fleet/transfer_slots.h"

namespace fl::server {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr std::chrono::seconds drain_time{10};
// After a failed accept, for example with no file descriptors left.
constexpr std::chrono::seconds accept_retry{1};

tcp::acceptor listening_on(asio::io_context& context, const net::Endpoint& endpoint) {
  try {
    const auto address = asio::ip::make_address(endpoint.host);
    return tcp::acceptor(context, tcp::endpoint(address, endpoint.port));
  } catch (const boost::system::system_error& error) {
    throw Error(ErrorCode::unavailable, "cannot listen on " + endpoint.text() + ": " +
                                            error.code().message() +
                                            "; free the port or set another with --listen");
  }
}

}  // namespace

struct Fleet::State : std::enable_shared_from_this<Fleet::State> {
  explicit State(const Parts& given)
      : parts(given),
        identity(given.home.server_identity()),
        authority(given.home.authority()),
        tls(net::TlsContext::for_server(identity, authority.certificate)),
        certificates(given.ledger, given.clock, authority,
                     std::chrono::hours(24) * given.home.config().device_certificate_days),
        slots(given.home.config().max_transfers),
        acceptor(listening_on(given.context, given.home.config().listen)),
        accept_timer(given.context),
        drain_timer(given.context) {}

  asio::awaitable<void> accept_loop();
  asio::awaitable<void> serve(tcp::socket socket);
  asio::awaitable<void> serve_device(std::unique_ptr<net::Connection> connection);
  void ended();
  void start_task(const std::string& name);

  Parts parts;
  net::Identity identity;
  net::Identity authority;
  net::TlsContext tls;
  CertificateOffice certificates;
  TransferSlots slots;
  tcp::acceptor acceptor;
  asio::steady_timer accept_timer;
  asio::steady_timer drain_timer;
  TaskDirectory tasks;
  std::map<std::string, std::shared_ptr<Session>> sessions;  // by device
  std::size_t connections = 0;
  bool draining = false;
};

asio::awaitable<void> Fleet::State::accept_loop() {
  const auto self = shared_from_this();
  while (!draining) {
    boost::system::error_code error;
    tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (draining) co_return;
    if (error) {
      parts.log->error(fmt::format("accepting a connection failed: {}", error.message()));
      accept_timer.expires_after(accept_retry);
      co_await accept_timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    if (connections >= parts.home.config().max_connections) {
      parts.log->warn(fmt::format("a connection was closed at once: {} are open, the limit", connections));
      continue;
    }
    ++connections;
    asio::co_spawn(
        parts.context,
        [self, socket = std::move(socket)]() mutable { return self->serve(std::move(socket)); },
        [self](const std::exception_ptr&) { self->ended(); });
  }
}

void Fleet::State::ended() {
  --connections;
  if (draining && connections == 0) drain_timer.cancel();
}

asio::awaitable<void> Fleet::State::serve(tcp::socket socket) {
  std::string peer = "a peer that has gone";
  try {
    boost::system::error_code gone;
    const tcp::endpoint remote = socket.remote_endpoint(gone);
    if (!gone) peer = net::Endpoint{remote.address().to_string(), remote.port()}.text();
    socket.set_option(tcp::no_delay(true));
    auto connection = co_await net::Connection::accept(std::move(socket), tls, limits::handshake_time);
    if (connection->alpn() == net::alpn_enrolment) {
      co_await enrol_device(*connection, certificates, parts.registry.public_key(), parts.log);
    } else {
      co_await serve_device(std::move(connection));
    }
  } catch (const std::exception& error) {
    parts.log->warn(fmt::format("connection from {} closed: {}", peer, error.what()));
  }
}

asio::awaitable<void> Fleet::State::serve_device(std::unique_ptr<net::Connection> connection) {
  const std::string device = connection->peer_certificate().value().common_name();
  const auto session =
      std::make_shared<Session>(Session::Parts{parts.context, tasks, parts.spool, certificates, slots,
                                               parts.workers, parts.clock, parts.log},
                                std::move(connection), device);
  // A device that comes back before its old connection was noticed to be dead takes its place.
  if (const auto old = sessions.find(device); old != sessions.end()) old->second->close();
  sessions[device] = session;
  if (draining) session->close_when_idle();
  co_await session->run();
  const auto found = sessions.find(device);
  if (found != sessions.end() && found->second == session) sessions.erase(found);
}

void Fleet::State::start_task(const std::string& name) {
  const std::optional<TaskRecord> task = parts.ledger.task(name);
  if (!task) throw Error(ErrorCode::not_found, "there is no task '" + name + "'");
  const auto runner =
      std::make_shared<TaskRunner>(TaskRunner::Parts{parts.context, parts.workers, parts.ledger, parts.blobs,
                                                     parts.spool, parts.registry, parts.clock, parts.log},
                                   *task);
  runner->start();
  tasks.add(name, runner);
}

Fleet::Fleet(const Parts& parts) : state_(std::make_shared<State>(parts)) {
  for (const TaskRecord& task : parts.ledger.tasks()) state_->start_task(task.name);
  asio::co_spawn(parts.context, [state = state_] { return state->accept_loop(); }, asio::detached);
}

Fleet::~Fleet() {
  state_->tasks.stop();
  state_->parts.workers.join();
}

std::uint16_t Fleet::port() const {
  return state_->acceptor.local_endpoint().port();
}

std::size_t Fleet::connections() const {
  return state_->sessions.size();
}

std::string Fleet::round_state(const std::string& task) const {
  const auto runner = state_->tasks.find(task);
  return runner ? runner->state() : "not running";
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
  state_->acceptor.close();
  state_->accept_timer.cancel();
  state_->tasks.stop();
  const auto sessions = state_->sessions;  // closing may end a session and change the map
  for (const auto& [device, session] : sessions) session->close_when_idle();
  if (state_->connections == 0) return;
  state_->drain_timer.expires_after(drain_time);
  state_->drain_timer.async_wait([state = state_](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    const auto late = state->sessions;
    for (const auto& [device, session] : late) session->close();
  });
}

}  // namespace fl::server
