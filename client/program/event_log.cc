#include "client/program/event_log.h"

#include <spdlog/sinks/stdout_sinks.h>

namespace fl::client {
namespace {

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

}  // namespace

std::shared_ptr<spdlog::logger> make_log() {
  auto log = std::make_shared<spdlog::logger>("fl-client", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
  log->flush_on(spdlog::level::info);
  return log;
}

void log_event(spdlog::logger& log, const AgentEvent& event) {
  log.log(level_of(event.kind), event.sentence);
}

}  // namespace fl::client
