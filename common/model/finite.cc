#include "common/model/finite.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fl {
namespace {

constexpr std::size_t block = 1024;

// Negated, so that NaN, which compares as neither, is outside.
bool is_outside(float value, float limit) {
  return !(std::abs(value) <= limit);
}

/// Without a branch per element, so that the compiler can vectorise it.
bool any_outside(std::span<const float> values, float limit) {
  unsigned outside = 0;
  for (const float value : values) outside |= static_cast<unsigned>(is_outside(value, limit));
  return outside != 0;
}

}  // namespace

std::optional<std::size_t> first_outside(std::span<const float> values, float bound) {
  constexpr float largest = std::numeric_limits<float>::max();
  const float limit = bound > largest ? largest : bound;
  for (std::size_t start = 0; start < values.size(); start += block) {
    const auto part = values.subspan(start, std::min(block, values.size() - start));
    if (!any_outside(part, limit)) continue;
    const auto found =
        std::find_if(part.begin(), part.end(), [limit](float value) { return is_outside(value, limit); });
    return start + static_cast<std::size_t>(found - part.begin());
  }
  return std::nullopt;
}

}  // namespace fl
