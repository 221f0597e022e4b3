#include "client/program/stop_signals.h"

#include <ctime>

namespace fl::client {

StopSignals::StopSignals() {
  ::sigemptyset(&signals_);
  ::sigaddset(&signals_, SIGTERM);
  ::sigaddset(&signals_, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

void StopSignals::wait() const {
  int signal = 0;
  ::sigwait(&signals_, &signal);
}

bool StopSignals::wait_for(std::chrono::milliseconds time) const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  const std::chrono::nanoseconds rest = time - seconds;
  const timespec limit{static_cast<std::time_t>(seconds.count()), static_cast<long>(rest.count())};
  return ::sigtimedwait(&signals_, nullptr, &limit) > 0;
}

}  // namespace fl::client
