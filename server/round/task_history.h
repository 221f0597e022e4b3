#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace fl::server {

/// What a task's rounds so far tell about the next. Pure; told of every ended round in its order, whether it
/// ends now or is read from the ledger after a restart, it says the same. One thread at a time.
class TaskHistory {
 public:
  /// `opened`: when its cohort was chosen; `closed`: when its version was there.
  void round_committed(Timestamp opened, Timestamp closed);
  void round_abandoned(Timestamp closed);

  std::uint64_t committed() const { return committed_; }
  /// How long committed rounds take, the last ones above all; 0 where there is none.
  Milliseconds round_time() const { return round_time_; }

  /// How long from `now` until the next round may begin. After an abandoned round that is 2 s from its end,
  /// and with each further one in a row twice as long, at most 10 minutes; after a committed one 0. However
  /// the clock was set meanwhile, it is no longer than from the end.
  Milliseconds pause(Timestamp now) const;

 private:
  std::uint64_t committed_ = 0;
  Milliseconds round_time_{};
  std::uint32_t abandoned_in_a_row_ = 0;
  Timestamp last_abandoned_{};
};

}  // namespace fl::server
