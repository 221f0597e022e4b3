#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"

/// When devices that are not needed now should come again (pace steering, Bonawitz et al. 2019, §2.3). Pure.
namespace fl::server {

/// The devices that a task's rounds are paced for.
struct Crowd {
  std::size_t devices = 0;    ///< That are connected and subscribed; 0: not known.
  Milliseconds round_time{};  ///< From the choice of a cohort to its version; 0: not known.
};

/// Whether so many devices follow the task, 1,000 or more, that each comes at a moment of its own. Fewer
/// come all together when the next round may begin, so that it finds enough of them.
bool is_crowd(const Crowd& crowd);

/// The window of a crowd: in each every device comes once, so that in the time of a round ten times as many
/// come as it wants. A power of two of seconds, at most 1,024.
Milliseconds crowd_window(const Crowd& crowd, std::size_t wanted);

/// How long from `now` until a device of a crowd comes again: at its moment in this window, or, where that
/// has passed, in the next. Its moments are drawn by `device_seed`, uniformly in each window, and so arrivals
/// are even however devices were told. At least 1 s and less than two windows and 1 s.
Milliseconds crowd_retry(const Crowd& crowd, std::size_t wanted, std::uint64_t device_seed, Timestamp now);

}  // namespace fl::server
