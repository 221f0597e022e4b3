#include "client/learning/page_hinkley.h"

#include <algorithm>
#include <cmath>

namespace fl::client {

bool PageHinkley::add(double value) {
  if (!(std::abs(value) <= 1e100)) return false;
  ++state_.count;
  state_.mean += (value - state_.mean) / static_cast<double>(state_.count);
  state_.sum = std::max(0.0, settings_.alpha * state_.sum + value - state_.mean - settings_.delta);
  if (state_.count < settings_.minimum || state_.sum <= settings_.threshold) return false;
  state_ = State();
  return true;
}

}  // namespace fl::client
