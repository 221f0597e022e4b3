#include "server/round/task_history.h"

#include <algorithm>

namespace fl::server {

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
  Milliseconds whole = pauses_.first;
  for (std::uint32_t i = 1; i < abandoned_in_a_row_ && whole < pauses_.longest; ++i) whole *= 2;
  whole = std::min(whole, pauses_.longest);
  return std::clamp(last_abandoned_ + whole - now, Milliseconds(0), whole);
}

}  // namespace fl::server
