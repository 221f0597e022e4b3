#include "server/round/task_history.h"

#include <algorithm>

namespace fl::server {
namespace {

constexpr Milliseconds first_pause{2'000};
constexpr Milliseconds longest_pause{600'000};

}  // namespace

void TaskHistory::round_committed(Timestamp opened, Timestamp closed) {
  const Milliseconds time = std::max(closed - opened, Milliseconds(0));
  round_time_ = committed_ == 0 ? time : (3 * round_time_ + time) / 4;
  ++committed_;
  abandoned_in_a_row_ = 0;
}

void TaskHistory::round_abandoned(Timestamp closed) {
  ++abandoned_in_a_row_;
  last_abandoned_ = closed;
}

Milliseconds TaskHistory::pause(Timestamp now) const {
  if (abandoned_in_a_row_ == 0) return Milliseconds(0);
  Milliseconds whole = first_pause;
  for (std::uint32_t i = 1; i < abandoned_in_a_row_ && whole < longest_pause; ++i) whole *= 2;
  whole = std::min(whole, longest_pause);
  return std::clamp(last_abandoned_ + whole - now, Milliseconds(0), whole);
}

}  // namespace fl::server
