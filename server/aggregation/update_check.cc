#include "server/aggregation/update_check.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/model/finite.h"

namespace fl::server {
namespace {

// Decoded at a time: a processor's nearest cache holds them.
constexpr std::size_t piece_elements = 4 * encoding_block;

UpdateFault fault_at(std::size_t index, float value, float bound) {
  const std::string where = "element " + std::to_string(index) + " of the delta is " + std::to_string(value);
  if (!(std::abs(value) <= std::numeric_limits<float>::max())) {
    return {wire::Outcome::not_finite, where + ", every element must be finite"};
  }
  return {wire::Outcome::delta_too_large,
          where + ", the plan allows magnitudes up to " + std::to_string(bound)};
}

}  // namespace

UpdateCheck::UpdateCheck(Encoding encoding, std::size_t elements, const Bounds& bounds)
    : encoding_(encoding), elements_(elements), bounds_(bounds) {}

void UpdateCheck::look_at(ByteView bytes) {
  while (!bytes.empty() && !fault_ && checked_ < elements_) {
    decoded_.resize(std::min(piece_elements, elements_ - checked_));
    const auto piece_bytes = static_cast<std::size_t>(encoded_bytes(encoding_, decoded_.size()));
    const ByteView taken = bytes.first(std::min(piece_bytes - cut_off_.size(), bytes.size()));
    bytes = bytes.subspan(taken.size());
    if (taken.size() == piece_bytes) {
      check(taken);
      continue;
    }
    cut_off_.reserve(piece_bytes);
    cut_off_.insert(cut_off_.end(), taken.begin(), taken.end());
    if (cut_off_.size() < piece_bytes) return;
    check(cut_off_);
    cut_off_.clear();
  }
}

void UpdateCheck::check(ByteView piece) {
  decode(encoding_, piece, decoded_);
  const std::size_t deltas = std::min(decoded_.size(), bounds_.deltas - std::min(bounds_.deltas, checked_));
  check(std::span(decoded_).first(deltas), checked_, bounds_.delta);
  if (!fault_) check(std::span(decoded_).subspan(deltas), checked_ + deltas, bounds_.control);
  checked_ += decoded_.size();
}

void UpdateCheck::check(std::span<const float> values, std::size_t first, float bound) {
  if (const std::optional<std::size_t> index = first_outside(values, bound)) {
    fault_ = fault_at(first + *index, values[*index], bound);
  }
}

}  // namespace fl::server
