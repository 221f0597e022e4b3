#pragma once

#include <cstdint>
#include <string>

namespace fl {

/// Something the background agent did or met, for a user interface or a log. What a listener throws is caught
/// and dropped.
struct AgentEvent {
  enum class Kind : std::uint8_t {
    connected,
    disconnected,     ///< It tries again by itself; the sentence says why and when.
    fetching,         ///< A version is on its way; at most once a second.
    version_adopted,  ///< Another version serves from now on.
    version_refused,  ///< A version does not verify, open or answer; the old one goes on serving.
    model_damaged,    ///< What is on the disk does not verify any more; last-good serves, where there is one.
    training,         ///< Began, goes on (at most every two seconds), or ended.
    update_accepted,
    update_refused,
    evaluation,  ///< A version was tested on the held-out examples for the server, or could not be.
    waiting,     ///< The server has no work for this device now.
    certificate_renewed,
    trouble,  ///< Anything else that went wrong; the agent goes on.
  };

  Kind kind = Kind::trouble;
  std::string task;  ///< Empty where it concerns no single task.
  std::string sentence;
};

}  // namespace fl
