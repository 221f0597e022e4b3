#include "client/serve/device_endpoint.h"

#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>

#include "client/home/device_home.h"
#include "client/serve/local_doorkeeper.h"
#include "common/base/error.h"
#include "common/engine/engine_module.h"
#include "common/net/http_endpoint.h"
#include "common/net/listening.h"

namespace fl::client {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

tcp::acceptor acceptor_of(asio::io_context& context, const DeviceEndpoint::Settings& settings) {
  if (settings.socket) {
    tcp::acceptor acceptor(context, tcp::v4(), *settings.socket);
    if (!acceptor.local_endpoint().address().is_loopback())
      throw Error(ErrorCode::invalid_argument, "the socket given does not listen on loopback");
    return acceptor;
  }
  boost::system::error_code fault;
  if (!asio::ip::make_address(settings.listen.host, fault).is_loopback()) {
    throw Error(ErrorCode::invalid_argument, "cannot listen on " + settings.listen.text() +
                                                 ": a device answers on loopback only, 127.0.0.1 or [::1]");
  }
  return net::listen_on(context, settings.listen, "choose another port, or 0 for a free one");
}

EngineSource engine_of(const DeviceEndpoint::Settings& settings) {
  return [engine = settings.engine] { return engine ? engine : load_engine(); };
}

}  // namespace

struct DeviceEndpoint::State {
  State(DeviceHome opened, const Settings& settings)
      : home(std::move(opened)),
        stores(home.models_path(), home.settings().signing_key, Access::guest),
        context(static_cast<int>(settings.models.executors + 1)),
        models(stores, engine_of(settings), repository, metrics, context.get_executor(), settings.models,
               settings.on_event) {
    tcp::acceptor acceptor = acceptor_of(context, settings);
    auto doorkeeper = std::make_unique<LocalDoorkeeper>(acceptor.local_endpoint().port(), home.serving_key(),
                                                        settings.origins);
    const serving::InferenceService::Settings said{.server_name = "fl-client",
                                                   .server_version = settings.program_version,
                                                   .route = "local",
                                                   .limits = {},
                                                   .shows_metrics = true};
    auto service =
        std::make_shared<serving::InferenceService>(repository, metrics, std::move(doorkeeper), said);
    endpoint.emplace(context.get_executor(), std::move(acceptor), std::move(service), std::nullopt,
                     net::HttpLimits());
    for (std::size_t i = 0; i < settings.models.executors + 1; ++i)
      threads.emplace_back([this] { context.run(); });
  }

  DeviceHome home;
  ModelStores stores;
  serving::ServingMetrics metrics;
  asio::io_context context;
  serving::Repository repository;
  LocalModels models;
  std::optional<net::HttpEndpoint> endpoint;
  std::vector<std::jthread> threads;
};

DeviceEndpoint::DeviceEndpoint(const std::filesystem::path& home, const Settings& settings)
    : state_(std::make_unique<State>(DeviceHome::open(home), settings)) {}

DeviceEndpoint::~DeviceEndpoint() {
  state_->endpoint.reset();
  state_->threads.clear();
}

std::uint16_t DeviceEndpoint::port() const {
  return state_->endpoint->port();
}

std::filesystem::path DeviceEndpoint::key_path() const {
  return state_->home.serving_key_path();
}

std::optional<std::chrono::steady_clock::time_point> DeviceEndpoint::idle_since() const {
  return state_->endpoint->idle_since();
}

}  // namespace fl::client
