#include "client/learning/error_rate_watch.h"

#include <cmath>

namespace fl::client {

ErrorRateWatch::Level ErrorRateWatch::add(bool wrong) {
  ++count_;
  errors_ += wrong ? 1 : 0;
  const auto count = static_cast<double>(count_);
  rate_ += ((wrong ? 1.0 : 0.0) - rate_) / count;
  const double deviation = std::sqrt(rate_ * (1.0 - rate_) / count);
  if (count_ <= minimum || errors_ < minimum_errors) return Level::calm;
  const double now = rate_ + deviation;
  if (now <= least_rate_ + least_deviation_) {
    least_rate_ = rate_;
    least_deviation_ = deviation;
  }
  if (now > least_rate_ + 3.0 * least_deviation_) {
    *this = ErrorRateWatch();
    return Level::drift;
  }
  return now > least_rate_ + 2.0 * least_deviation_ ? Level::warning : Level::calm;
}

}  // namespace fl::client
