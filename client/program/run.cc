#include <memory>

#include <spdlog/fmt/fmt.h>

#include "client/program/commands.h"
#include "client/program/common.h"
#include "client/program/event_log.h"
#include "client/program/stop_signals.h"

namespace fl::client {
namespace {

using program::Arguments;
using program::Command;
using program::exit_ok;
using program::Options;

int run(const Arguments& arguments) {
  const StopSignals signals;
  const std::shared_ptr<spdlog::logger> log = make_log();
  const bool train = !arguments.has("no-train");
  Device device =
      Device::open(arguments.path("HOME"),
                   {.on_event = [log](const AgentEvent& event) { log_event(*log, event); }, .train = train});
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
