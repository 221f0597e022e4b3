#include <csignal>
#include <memory>

#include <spdlog/fmt/fmt.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "client/program/commands.h"
#include "client/program/common.h"

namespace fl::client {
namespace {

using program::Arguments;
using program::Command;
using program::exit_ok;
using program::Options;

using Kind = AgentEvent::Kind;

spdlog::level::level_enum level_of(Kind kind) {
  switch (kind) {
    case Kind::disconnected:
    case Kind::update_refused:
    case Kind::version_refused:
    case Kind::model_damaged:
    case Kind::trouble:
      return spdlog::level::warn;
    default:
      return spdlog::level::info;
  }
}

/// SIGTERM and SIGINT, kept back from every thread that is started after.
class StopSignals {
 public:
  StopSignals() {
    ::sigemptyset(&signals_);
    ::sigaddset(&signals_, SIGTERM);
    ::sigaddset(&signals_, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  void wait() const {
    int signal = 0;
    ::sigwait(&signals_, &signal);
  }

 private:
  sigset_t signals_{};
};

std::shared_ptr<spdlog::logger> make_log() {
  auto log = std::make_shared<spdlog::logger>("fl-client", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
  log->flush_on(spdlog::level::info);
  return log;
}

int run(const Arguments& arguments) {
  const StopSignals signals;
  const std::shared_ptr<spdlog::logger> log = make_log();
  const bool train = !arguments.has("no-train");
  Device device = Device::open(
      arguments.path("HOME"),
      {.on_event = [log](const AgentEvent& event) { log->log(level_of(event.kind), event.sentence); },
       .train = train});
  log->info(fmt::format("device {} runs{}", device.id(), train ? "" : ", without training"));
  device.start();
  signals.wait();
  device.stop();
  log->info("stopped");
  return exit_ok;
}

}  // namespace

Command run_command() {
  Options options = home_options();
  options.flag("no-train", "only receive versions, take no part in rounds");
  return {"run", "stay connected: receive versions, train, report; until SIGTERM or SIGINT",
          "fl-client run /var/lib/fl", options, run};
}

}  // namespace fl::client
