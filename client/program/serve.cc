#include <iostream>
#include <memory>

#include <spdlog/fmt/fmt.h>

#include "client/program/commands.h"
#include "client/program/common.h"
#include "client/program/event_log.h"
#include "client/program/stop_signals.h"
#include "client/serving/device_endpoint.h"
#include "client/serving/inherited_socket.h"

namespace fl::client {
namespace {

using program::Arguments;
using program::Command;
using program::exit_ok;
using program::Options;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t most_executors = 64;
constexpr std::int64_t most_batch = 4096;
constexpr std::int64_t longest_delay = 10'000;
constexpr std::int64_t longest_idle = std::int64_t{366} * 86'400;

DeviceEndpoint::Settings settings_of(const Arguments& arguments) {
  DeviceEndpoint::Settings settings;
  settings.listen = net::Endpoint::parse(arguments.text("listen"));
  settings.socket = inherited_socket();
  settings.origins = arguments.texts("origin");
  settings.models.executors = static_cast<std::size_t>(arguments.integer("executors", 1, most_executors));
  settings.models.batches.batch = static_cast<std::size_t>(arguments.integer("batch", 1, most_batch));
  settings.models.batches.delay = milliseconds(arguments.integer("delay", 0, longest_delay));
  settings.program_version = FL_VERSION;
  return settings;
}

/// Until a signal comes, or nobody has asked for so long.
void wait_for_end(const StopSignals& signals, const DeviceEndpoint& endpoint, seconds idle_time) {
  for (seconds left = idle_time; !signals.wait_for(left);) {
    const auto now = std::chrono::steady_clock::now();
    const auto idle = now - endpoint.idle_since().value_or(now);
    if (idle >= idle_time) return;
    left = std::chrono::ceil<seconds>(idle_time - idle);
  }
}

int serve(const Arguments& arguments) {
  const StopSignals signals;
  const std::shared_ptr<spdlog::logger> log = make_log();
  DeviceEndpoint::Settings settings = settings_of(arguments);
  settings.on_event = [log](const AgentEvent& event) { log_event(*log, event); };
  const DeviceEndpoint endpoint(arguments.path("HOME"), settings);
  std::cout << "listening on http://" << endpoint.address().text() << "\n" << std::flush;
  log->info(fmt::format("requests need the key in {}", endpoint.key_path().string()));
  if (arguments.has("idle-exit")) {
    wait_for_end(signals, endpoint, seconds(arguments.integer("idle-exit", 1, longest_idle)));
  } else {
    signals.wait();
  }
  log->info("stopping");
  return exit_ok;
}

}  // namespace

Command serve_command() {
  Options options = home_options();
  options
      .value("listen", "ADDRESS:PORT", "where to answer, on loopback; port 0: a free one", "127.0.0.1:7480")
      .values("origin", "ORIGIN", "whose web pages may ask, as browsers say it: https://app.example")
      .value("executors", "N", "copies of each model, which run at the same time", "1")
      .value("batch", "N", "examples that are run together at most", "64")
      .value("delay", "MS", "how long a batch that is not full waits for more", "0")
      .value("idle-exit", "SECONDS", "end when nobody has asked for so long");
  return {
      "serve",
      "answer predictions over HTTP on this machine (Open Inference Protocol v2); no network is needed",
      "fl-client serve /var/lib/fl\n"
      "curl -H \"Authorization: Bearer $(cat /var/lib/fl/serving.key)\" "
      "http://127.0.0.1:7480/v2/models/har",
      options,
      serve,
      "Answers with the versions that serve in HOME, beside 'fl-client run' or without it, and with newer\n"
      "ones once they are adopted. Under systemd's socket activation it answers on the socket it is given.\n"
      "docs/serving.md says more."};
}

}  // namespace fl::client
