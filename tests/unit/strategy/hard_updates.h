#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "common/base/random.h"

namespace fl::test {

struct HardUpdate {
  std::uint32_t weight = 1;
  std::vector<float> delta;
};

/// Updates that are hard to add without rounding: of every magnitude that a float within the bound has, from
/// denormals to the bound itself, both zeros, and pairs that cancel.
inline std::vector<HardUpdate> hard_updates(std::size_t count, std::size_t elements, float bound,
                                            std::uint32_t max_weight, std::uint64_t seed = 11) {
  Random random(seed);
  std::vector<HardUpdate> updates(count);
  const int largest = std::ilogb(bound);
  const int smallest = -150;
  const auto exponents = static_cast<std::uint64_t>(std::int64_t{largest} + 1 - smallest);
  for (HardUpdate& update : updates) {
    const bool extreme = random.below(4) == 0;
    update.weight = extreme ? max_weight : static_cast<std::uint32_t>(1 + random.below(max_weight));
    update.delta.reserve(elements);
    for (std::size_t i = 0; i < elements; ++i) {
      const int exponent = largest + 1 - static_cast<int>(random.below(exponents));
      float value = std::ldexp(static_cast<float>(random.uniform()), exponent);
      if (random.below(10) == 0) value = bound;
      if (random.below(10) == 0) value = std::numeric_limits<float>::denorm_min();
      if (random.below(20) == 0) value = std::numeric_limits<float>::min();
      if (random.below(20) == 0) value = 0.0F;
      value = std::min(value, bound);
      update.delta.push_back(random.below(2) == 0 ? value : -value);
    }
    if (&update != updates.data() && random.below(5) == 0) {
      const HardUpdate& before = *(&update - 1);
      update = before;
      for (float& value : update.delta) value = -value;
    }
  }
  return updates;
}

}  // namespace fl::test
