#include <csignal>
#include <iostream>
#include <optional>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "server/admin/admin_socket.h"
#include "server/admin/administration.h"
#include "server/fleet/fleet.h"
#include "server/http/metrics_endpoint.h"
#include "server/metrics/metrics.h"
#include "server/program/commands.h"
#include "server/program/endpoint_options.h"
#include "server/program/memory_return.h"
#include "server/serving/server_endpoint.h"

namespace fl::server {
namespace {

using program::Arguments;

std::shared_ptr<spdlog::logger> make_log(const std::string& level) {
  auto log = std::make_shared<spdlog::logger>("fl-server", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
  log->set_level(level == "warn" ? spdlog::level::warn : spdlog::level::from_str(level));
  return log;
}

/// Each connection takes a file descriptor, and what a process gets at first is often far fewer.
void raise_descriptor_limit(const ServerConfig& config, spdlog::logger& log) {
  constexpr rlim_t own_files = 256;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur != RLIM_INFINITY &&
      limit.rlim_cur < config.max_connections + config.max_handshakes + own_files) {
    log.warn(
        fmt::format("the system allows this process {} open files, too few for max-connections = {} and "
                    "max-handshakes = {}; raise 'ulimit -n'",
                    limit.rlim_cur, config.max_connections, config.max_handshakes));
  }
}

/// A running server: everything of a home, open, and the devices' and the operator's doors to it.
class RunningServer {
 public:
  explicit RunningServer(ServerHome home)
      : home_(std::move(home)),
        lock_(home_.lock()),
        log_(make_log(home_.config().log_level)),
        ledger_(home_.ledger_path(), [this](Seconds time) { metrics_.ledger_committed(time); }),
        blobs_(home_.blobs_path()),
        spool_(home_.spool_path()),
        registry_(ledger_, blobs_, home_.signing_key()),
        signals_(context_, SIGINT, SIGTERM),
        fleet_({workers_, context_, home_, ledger_, blobs_, spool_, registry_, clock_, log_, metrics_}),
        administration_(home_, ledger_, blobs_, registry_, clock_, live()),
        admin_(std::make_unique<AdminSocket>(
            context_.get_executor(), home_.admin_socket(),
            [this](std::string_view request) { return administration_.execute(request); })) {
    if (home_.config().metrics) show_metrics(*home_.config().metrics);
    if (home_.config().inference) {
      inference_.emplace(home_,
                         ServerEndpoint::Settings{.listen = *home_.config().inference,
                                                  .executors = home_.config().inference_executors},
                         log_);
    }
    blobs_.remove_drafts();
    raise_descriptor_limit(home_.config(), *log_);
    signals_.async_wait([this](const boost::system::error_code& fault, int signal) {
      if (!fault) stop(signal);
    });
  }

  net::Endpoint endpoint() const { return {home_.config().listen.host, fleet_.port()}; }

  /// Returns after a signal, once the last connection has gone.
  void run() {
    log_->info(fmt::format("fl-server {} runs in {} and listens on {}", FL_VERSION, home_.folder().string(),
                           endpoint().text()));
    if (metrics_endpoint_) {
      const net::Endpoint metrics{home_.config().metrics->host, metrics_endpoint_->port()};
      log_->info(fmt::format("metrics are at http://{}/metrics", metrics.text()));
    }
    context_.run();
    workers_.join();  // what they still hold may refer to the context
    inference_.reset();
    log_->info("stopped");
  }

 private:
  LiveServer live() {
    return {[this] { return fleet_.port(); }, [this] { return fleet_.connections(); },
            [this](const std::string& task) { return fleet_.round_state(task); },
            [this](const std::string& device) { fleet_.disconnect(device); },
            [this](const std::string& task) { fleet_.start_task(task); }};
  }

  void show_metrics(const net::Endpoint& endpoint) {
    const auto text = [this] {
      fleet_.measure();
      return metrics_.text() + (inference_ ? inference_->metrics() : "");
    };
    metrics_endpoint_.emplace(context_, endpoint, text);
  }

  void stop(int signal) {
    log_->info(fmt::format("got {}: draining", signal == SIGINT ? "SIGINT" : "SIGTERM"));
    // A second signal then ends the process at once.
    signals_.clear();
    admin_.reset();
    metrics_endpoint_.reset();
    memory_return_.reset();
    fleet_.drain();
  }

  ServerHome home_;
  FileDescriptor lock_;
  std::shared_ptr<spdlog::logger> log_;
  Metrics metrics_;
  Workers workers_;
  boost::asio::io_context context_{1};
  SystemClock clock_;
  Ledger ledger_;
  BlobStore blobs_;
  UpdateSpool spool_;
  Registry registry_;
  boost::asio::signal_set signals_;
  Fleet fleet_;
  std::optional<MemoryReturn> memory_return_{std::in_place, context_, [this] { return fleet_.departures(); }};
  Administration administration_;
  std::unique_ptr<AdminSocket> admin_;
  std::optional<MetricsEndpoint> metrics_endpoint_;
  std::optional<ServerEndpoint> inference_;
};

int run(const Arguments& arguments) {
  // A connection that breaks is an error of that connection, not the end of the server.
  std::signal(SIGPIPE, SIG_IGN);
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  ServerConfig config = home.config();
  if (arguments.has("listen")) config.listen = endpoint_of(arguments, "listen");
  if (arguments.has("metrics")) config.metrics = endpoint_or_off_of(arguments, "metrics");
  if (arguments.has("inference")) config.inference = endpoint_or_off_of(arguments, "inference");
  RunningServer server(home.with(config));
  std::cout << "listening on " << server.endpoint().text() << "\n" << std::flush;
  server.run();
  return program::exit_ok;
}

}  // namespace

program::Command run_command() {
  return {"run", "runs the server until SIGTERM or Ctrl-C; logs to stderr",
          "fl-server run ~/fl-server\nfl-server run ~/fl-server --listen 127.0.0.1:0",
          program::Options()
              .argument("DIR", "the server's home")
              .value("listen", "ADDRESS:PORT",
                     "listen here instead of where fl-server.ini says; port 0: a free one")
              .value("metrics", "ADDRESS:PORT",
                     "answer 'GET /metrics' here instead of where fl-server.ini says; or off")
              .value("inference", "ADDRESS:PORT",
                     "answer predictions here instead of where fl-server.ini says; or off"),
          run};
}

}  // namespace fl::server
