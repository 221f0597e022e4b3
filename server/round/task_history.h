#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace fl::server {

/// How long nothing begins after rounds that were abandoned: after the first, and at most.
struct Pauses {
  Milliseconds first{2'000};
  Milliseconds longest{600'000};
};

/// What a task's rounds so far tell about the next. Pure; told of every ended round in its order, whether it
/// ends now or is read from the ledger after a restart, it says the same. One thread at a time.
class TaskHistory {
 public:
  explicit TaskHistory(const Pauses& pauses = {}) : pauses_(pauses) {}

  /// `opened`: when its cohort was chosen; `closed`: when its version was there.
  void round_committed(Timestamp opened, Timestamp closed);
  void round_abandoned(Timestamp closed);

  std::uint64_t committed() const { return committed_; }
  /// How long committed rounds take, the last ones above all; 0 where there is none.
  Milliseconds round_time() const { return round_time_; }

  /// How long from `now` until the next round may begin. After an abandoned round that is the first pause
  /// from its end, and with each further one in a row twice as long, at most the longest; after a committed
  /// one 0. However the clock was set meanwhile, it is no longer than from the end.
  Milliseconds pause(Timestamp now) const;

 private:
  Pauses pauses_;
  std::uint64_t committed_ = 0;
  Milliseconds round_time_{};
  std::uint32_t abandoned_in_a_row_ = 0;
  Timestamp last_abandoned_{};
};

}  // namespace fl::server
