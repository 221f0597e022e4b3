#pragma once

#include <chrono>

namespace fl {

/// A moment, in milliseconds since the Unix epoch. What the pure core calls "now"; durable, so that a
/// restarted server can go on with the deadlines it had.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;
using Milliseconds = std::chrono::milliseconds;
/// How long something took.
using Seconds = std::chrono::duration<double>;

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

/// Measures how long something takes, whatever is done to the clock on the wall.
class Stopwatch {
 public:
  Seconds passed() const { return std::chrono::steady_clock::now() - begun_; }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace fl
