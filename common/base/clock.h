#pragma once

#include <chrono>

namespace fl {

/// A moment, in milliseconds since the Unix epoch. What the pure core calls "now"; durable, so that a
/// restarted server can go on with the deadlines it had.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;
using Milliseconds = std::chrono::milliseconds;

/// Where "now" comes from. Injected wherever time matters, so that tests and simulations choose it.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Safe to call from any thread.
  virtual Timestamp now() const = 0;
};

/// The machine's wall clock.
class SystemClock final : public Clock {
 public:
  Timestamp now() const override {
    return std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now());
  }
};

}  // namespace fl
