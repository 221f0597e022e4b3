#pragma once

#include <chrono>
#include <csignal>

namespace fl::client {

/// SIGTERM and SIGINT, kept back from every thread that is started after.
class StopSignals {
 public:
  StopSignals();

  void wait() const;
  /// Whether one came within the time.
  bool wait_for(std::chrono::milliseconds time) const;

 private:
  sigset_t signals_{};
};

}  // namespace fl::client
