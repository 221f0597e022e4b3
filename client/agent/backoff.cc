#include "client/agent/backoff.h"

#include <algorithm>
#include <cmath>

namespace fl::client {

bool is_lasting(ErrorCode code) {
  switch (code) {
    case ErrorCode::unauthenticated:
    case ErrorCode::permission_denied:
    case ErrorCode::resource_exhausted:
    case ErrorCode::failed_precondition:
    case ErrorCode::invalid_data:
    case ErrorCode::internal:
      return true;
    default:
      return false;
  }
}

void Backoff::was_well_for(std::chrono::steady_clock::duration time) {
  if (time >= policy_.forget) failures_ = 0;
}

std::chrono::milliseconds Backoff::after(ErrorCode code) {
  const bool lasting = is_lasting(code);
  const auto first = static_cast<double>((lasting ? policy_.first_long : policy_.first).count());
  const auto longest = static_cast<double>((lasting ? policy_.longest_long : policy_.longest).count());
  const double wait = std::min(longest, std::ldexp(first, static_cast<int>(std::min(failures_, 30U))));
  ++failures_;
  return std::chrono::milliseconds(std::llround(wait * (1.0 - 0.5 * random_.uniform())));
}

}  // namespace fl::client
