#include "server/serving/server_endpoint.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/engine/engine_module.h"
#include "common/net/http_endpoint.h"
#include "common/net/listening.h"
#include "common/serving/serving_threads.h"
#include "server/serving/key_doorkeeper.h"
#include "server/serving/task_models.h"

namespace fl::server {

namespace asio = boost::asio;

struct ServerEndpoint::State {
  State(const ServerHome& its_home, Settings with, std::shared_ptr<spdlog::logger> its_log)
      : home(its_home),
        settings(std::move(with)),
        log(std::move(its_log)),
        blobs(home.blobs_path()),
        threads(settings.executors),
        models(
            blobs, settings.engine ? settings.engine : [] { return load_engine(); }, repository, metrics,
            threads.executor(), {settings.executors, {}},
            [this](const std::string& sentence) { log->error(sentence); }) {
    watcher = std::jthread([this](const std::stop_token& stop) { repeat(stop, [this] { look_at_keys(); }); });
    loader =
        std::jthread([this](const std::stop_token& stop) { repeat(stop, [this] { look_at_versions(); }); });
  }

  /// Looks again and again; what goes wrong is said, the same thing once.
  void repeat(const std::stop_token& stop, const std::function<void()>& look);
  void look_at_keys();
  void look_at_versions();
  void open();
  void shut();

  const ServerHome home;
  const Settings settings;
  const std::shared_ptr<spdlog::logger> log;
  const BlobStore blobs;
  const std::shared_ptr<KeyRing> keys = std::make_shared<KeyRing>();
  serving::ServingMetrics metrics;
  serving::ServingThreads threads;
  serving::Repository repository;
  TaskModels models;         // the loader's
  mutable std::mutex mutex;  // guards what follows
  std::condition_variable_any changed;
  std::optional<net::HttpEndpoint> endpoint;  // changed by the watcher alone
  std::jthread watcher;
  std::jthread loader;
};

void ServerEndpoint::State::repeat(const std::stop_token& stop, const std::function<void()>& look) {
  std::string complaint;
  while (!stop.stop_requested()) {
    try {
      look();
      complaint.clear();
    } catch (const std::exception& error) {
      if (std::exchange(complaint, error.what()) != error.what())
        log->error("of predictions: {}; it is tried again", error.what());
    }
    std::unique_lock lock(mutex);
    changed.wait_for(lock, stop, settings.look_time, [] { return false; });
  }
}

void ServerEndpoint::State::look_at_keys() {
  std::vector<InferenceKeyRecord> known;
  try {
    const Ledger ledger = Ledger::snapshot(home.ledger_path());
    known = ledger.inference_keys();
    if (!known.empty() && !endpoint) models.announce(ledger);
  } catch (...) {
    keys->replace({});  // those that may have been removed open nothing
    throw;
  }
  keys->replace(known);
  if (known.empty()) {
    shut();
  } else if (!endpoint) {
    open();
  }
}

void ServerEndpoint::State::look_at_versions() {
  {
    const std::scoped_lock lock(mutex);
    if (!endpoint) return;
  }
  models.follow([this] { return Ledger::snapshot(home.ledger_path()); });
}

void ServerEndpoint::State::open() {
  asio::ip::tcp::acceptor acceptor =
      net::listen_on(threads.context(), settings.listen,
                     "free the port, or set 'inference' in fl-server.ini to another one or to off");
  const serving::InferenceService::Settings said{
      .server_name = "fl-server", .server_version = FL_VERSION, .route = "server", .limits = {}};
  auto service = std::make_shared<serving::InferenceService>(repository, metrics,
                                                             std::make_unique<KeyDoorkeeper>(keys), said);
  const net::TlsContext tls =
      net::TlsContext::for_http_server(home.server_identity(), home.authority().certificate);
  const std::scoped_lock lock(mutex);
  endpoint.emplace(threads.executor(), std::move(acceptor), std::move(service), tls,
                   net::HttpLimits{.body_bytes = said.limits.body_bytes});
  log->info(fmt::format("predictions are answered at https://{}",
                        net::Endpoint{settings.listen.host, endpoint->port()}.text()));
}

void ServerEndpoint::State::shut() {
  const std::scoped_lock lock(mutex);
  if (!endpoint) return;
  endpoint.reset();
  log->info("there is no key any more; predictions are not answered");
}

ServerEndpoint::ServerEndpoint(const ServerHome& home, Settings settings, std::shared_ptr<spdlog::logger> log)
    : state_(std::make_unique<State>(home, std::move(settings), std::move(log))) {}

ServerEndpoint::~ServerEndpoint() {
  state_->watcher = {};
  state_->loader = {};
  state_->endpoint.reset();
  state_->threads.finish();
}

std::optional<std::uint16_t> ServerEndpoint::port() const {
  const std::scoped_lock lock(state_->mutex);
  if (!state_->endpoint) return std::nullopt;
  return state_->endpoint->port();
}

std::string ServerEndpoint::metrics() const {
  return state_->metrics.text();
}

}  // namespace fl::server
