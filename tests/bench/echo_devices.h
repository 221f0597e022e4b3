#pragma once

#include <cstdint>
#include <vector>

#include "tests/bench/echo_device.h"

namespace fl::bench {

/// How long a round took, in seconds.
struct EchoRound {
  double seconds = 0;        ///< From the announcement of its base version to that of the version it made.
  double acknowledging = 0;  ///< From the first update's announcement to the last one's acknowledgement.
};

/// Devices that do not train: each fetches and hashes every version, and answers each offer of work with an
/// update of fresh pseudo-random numbers, hashed, over a connection of its own. They run on two threads and
/// return when the task's version `last` has reached all of them.
///
/// The result: the rounds that made the third version and those after it, as the devices saw them. Throws
/// Error where a device fails, or is refused.
std::vector<EchoRound> run_echo_devices(const EchoFleet& fleet, std::uint64_t last);

}  // namespace fl::bench
