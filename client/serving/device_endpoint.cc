#include "client/serving/device_endpoint.h"

#include <sys/socket.h>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>

#include "client/home/device_home.h"
#include "client/serving/local_doorkeeper.h"
#include "common/base/error.h"
#include "common/engine/engine_module.h"
#include "common/net/http_endpoint.h"
#include "common/net/listening.h"
#include "common/serving/serving_threads.h"

namespace fl::client {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

void require_loopback(const asio::ip::address& address) {
  if (address == asio::ip::address_v4::loopback() || address == asio::ip::address_v6::loopback()) return;
  throw Error(ErrorCode::invalid_argument, "cannot listen on " + address.to_string() +
                                               ": a device answers on loopback only, 127.0.0.1 or [::1]");
}

/// Takes over a socket that somebody else has opened.
tcp::acceptor inherited(asio::io_context& context, int descriptor) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  const bool is_known = ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &size) == 0;
  try {
    if (!is_known || (name.ss_family != AF_INET && name.ss_family != AF_INET6))
      throw Error(ErrorCode::invalid_argument, "the socket given is not one of TCP");
    tcp::acceptor acceptor(context, name.ss_family == AF_INET ? tcp::v4() : tcp::v6(), descriptor);
    require_loopback(acceptor.local_endpoint().address());
    return acceptor;
  } catch (const boost::system::system_error& error) {
    throw Error(ErrorCode::invalid_argument, "the socket given cannot be used: " + error.code().message());
  }
}

tcp::acceptor acceptor_of(asio::io_context& context, const DeviceEndpoint::Settings& settings) {
  if (settings.socket) return inherited(context, *settings.socket);
  boost::system::error_code no_address;
  require_loopback(asio::ip::make_address(settings.listen.host, no_address));
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
        threads(settings.models.executors),
        models(stores, engine_of(settings), repository, metrics, threads.executor(), settings.models,
               settings.on_event) {
    tcp::acceptor acceptor = acceptor_of(threads.context(), settings);
    address = {acceptor.local_endpoint().address().to_string(), acceptor.local_endpoint().port()};
    auto doorkeeper = std::make_unique<LocalDoorkeeper>(address.port, home.serving_key(), settings.origins);
    const serving::InferenceService::Settings said{.server_name = "fl-client",
                                                   .server_version = settings.program_version,
                                                   .route = "local",
                                                   .limits = {},
                                                   .shows_metrics = true};
    auto service =
        std::make_shared<serving::InferenceService>(repository, metrics, std::move(doorkeeper), said);
    endpoint.emplace(threads.executor(), std::move(acceptor), std::move(service), std::nullopt,
                     net::HttpLimits{.body_bytes = said.limits.body_bytes});
  }

  DeviceHome home;
  ModelStores stores;
  serving::ServingMetrics metrics;
  serving::ServingThreads threads;
  serving::Repository repository;
  LocalModels models;
  net::Endpoint address;
  std::optional<net::HttpEndpoint> endpoint;
};

DeviceEndpoint::DeviceEndpoint(const std::filesystem::path& home, const Settings& settings)
    : state_(std::make_unique<State>(DeviceHome::open(home), settings)) {}

DeviceEndpoint::~DeviceEndpoint() {
  state_->endpoint.reset();
  state_->threads.finish();
}

const net::Endpoint& DeviceEndpoint::address() const {
  return state_->address;
}

std::filesystem::path DeviceEndpoint::key_path() const {
  return state_->home.serving_key_path();
}

std::optional<std::chrono::steady_clock::time_point> DeviceEndpoint::idle_since() const {
  return state_->endpoint->idle_since();
}

}  // namespace fl::client
