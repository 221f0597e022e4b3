#pragma once

#include <functional>
#include <string>
#include <utility>

#include "client/include/fl/agent_event.h"

namespace fl::client {

/// Who is told of what the agent does. May be empty; what it throws is dropped.
using EventListener = std::function<void(const AgentEvent&)>;

inline void tell(const EventListener& listener, AgentEvent::Kind kind, std::string task,
                 std::string sentence) {
  try {
    if (listener) listener({kind, std::move(task), std::move(sentence)});
  } catch (...) {
    return;  // the app's failure, not the agent's
  }
}

}  // namespace fl::client
