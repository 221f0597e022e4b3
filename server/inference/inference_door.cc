#include "server/inference/inference_door.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/engine/engine_module.h"
#include "common/net/http_endpoint.h"
#include "common/net/listening.h"
#include "server/inference/key_doorkeeper.h"
#include "server/inference/task_models.h"

namespace fl::server {

namespace asio = boost::asio;

struct InferenceDoor::State {
  State(const ServerHome& its_home, Settings with, std::shared_ptr<spdlog::logger> its_log)
      : home(its_home),
        settings(std::move(with)),
        log(std::move(its_log)),
        blobs(home.blobs_path()),
        context(static_cast<int>(settings.executors + 1)),
        models(
            blobs, settings.engine ? settings.engine : [] { return load_engine(); }, repository, metrics,
            context.get_executor(), {settings.executors, {}},
            [this](const std::string& sentence) { log->error(sentence); }) {
    for (std::size_t i = 0; i < settings.executors + 1; ++i) threads.emplace_back([this] { context.run(); });
    watcher = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  }

  void watch(const std::stop_token& stop);
  void look();
  /// Says what is wrong, the same thing once.
  void complain(const std::string& sentence);
  void open();
  void shut();

  const ServerHome home;
  const Settings settings;
  const std::shared_ptr<spdlog::logger> log;
  const BlobStore blobs;
  const std::shared_ptr<KeyRing> keys = std::make_shared<KeyRing>();
  serving::ServingMetrics metrics;
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  serving::Repository repository;
  TaskModels models;
  std::string complaint;  // the last one
  mutable std::mutex mutex;
  std::condition_variable_any changed;
  std::optional<net::HttpEndpoint> endpoint;  // guarded by the mutex; changed by the watcher alone
  std::vector<std::jthread> threads;
  std::jthread watcher;
};

void InferenceDoor::State::watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    try {
      look();
    } catch (const Error& error) {
      complain(error.what());
    }
    std::unique_lock lock(mutex);
    changed.wait_for(lock, stop, settings.look_time, [] { return false; });
  }
}

void InferenceDoor::State::look() {
  const Ledger ledger = Ledger::snapshot(home.ledger_path());
  const std::vector<InferenceKeyRecord> known = ledger.inference_keys();
  keys->replace(known);
  if (known.empty()) {
    shut();
    return;
  }
  if (!endpoint) open();
  models.follow(ledger);
}

void InferenceDoor::State::complain(const std::string& sentence) {
  if (std::exchange(complaint, sentence) != sentence)
    log->error("predictions are not answered: {}", sentence);
}

void InferenceDoor::State::open() {
  asio::ip::tcp::acceptor acceptor =
      net::listen_on(context, settings.listen,
                     "free the port, or set 'inference' in fl-server.ini to another one or to off");
  const serving::InferenceService::Settings said{
      .server_name = "fl-server", .server_version = FL_VERSION, .route = "server", .limits = {}};
  auto service = std::make_shared<serving::InferenceService>(repository, metrics,
                                                             std::make_unique<KeyDoorkeeper>(keys), said);
  const net::TlsContext tls =
      net::TlsContext::for_http_server(home.server_identity(), home.authority().certificate);
  const std::scoped_lock lock(mutex);
  endpoint.emplace(context.get_executor(), std::move(acceptor), std::move(service), tls, net::HttpLimits());
  log->info(fmt::format("predictions are answered at https://{}",
                        net::Endpoint{settings.listen.host, endpoint->port()}.text()));
}

void InferenceDoor::State::shut() {
  const std::scoped_lock lock(mutex);
  if (!endpoint) return;
  endpoint.reset();
  log->info("there is no key any more; predictions are not answered");
}

InferenceDoor::InferenceDoor(const ServerHome& home, Settings settings, std::shared_ptr<spdlog::logger> log)
    : state_(std::make_unique<State>(home, std::move(settings), std::move(log))) {}

InferenceDoor::~InferenceDoor() {
  state_->watcher = {};
  state_->endpoint.reset();
  state_->work.reset();
  state_->threads.clear();
}

std::optional<std::uint16_t> InferenceDoor::port() const {
  const std::scoped_lock lock(state_->mutex);
  if (!state_->endpoint) return std::nullopt;
  return state_->endpoint->port();
}

std::string InferenceDoor::metrics() const {
  return state_->metrics.text();
}

}  // namespace fl::server
