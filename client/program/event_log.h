#pragma once

#include <memory>

#include <spdlog/logger.h>

#include "client/include/fl/agent_event.h"

namespace fl::client {

/// The log of a command that keeps running, on stderr.
std::shared_ptr<spdlog::logger> make_log();

/// Writes an event as a line of the level that it deserves.
void log_event(spdlog::logger& log, const AgentEvent& event);

}  // namespace fl::client
