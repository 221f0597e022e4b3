#include "common/model/finite.h"

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/random.h"

using namespace fl;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// The definition, one element at a time.
std::optional<std::size_t> slow_first_outside(const std::vector<float>& values, float bound) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i]) || std::isinf(values[i])) return i;
    if (values[i] > bound || values[i] < -bound) return i;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("the first element outside is found wherever it is") {
  for (const float bad : {not_a_number, -not_a_number, infinity, -infinity, 2.5F, -2.5F}) {
    for (const std::size_t size : {1U, 2U, 15U, 16U, 1023U, 1024U, 1025U, 5000U}) {
      for (const std::size_t at : {std::size_t{0}, size / 3, size / 2, size - 1}) {
        std::vector<float> values(size, -2.0F);
        REQUIRE_FALSE(first_outside(values, 2.0F).has_value());
        values[at] = bad;
        REQUIRE(first_outside(values, 2.0F) == at);
        values.back() = bad;
        REQUIRE(first_outside(values, 2.0F) == at);
      }
    }
  }
}

TEST_CASE("finding the first element outside agrees with the definition on random data") {
  Random random(7);
  for (int repeat = 0; repeat < 200; ++repeat) {
    std::vector<float> values(random.below(4000));
    for (float& value : values) value = static_cast<float>(random.normal());
    REQUIRE(first_outside(values, 3.2F) == slow_first_outside(values, 3.2F));
  }
}

TEST_CASE("nothing is outside of nothing and infinity is outside of every bound") {
  CHECK_FALSE(first_outside({}, 1.0F).has_value());
  const std::vector<float> large{std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest(),
                                 std::numeric_limits<float>::denorm_min(), -0.0F};
  CHECK_FALSE(first_outside(large, infinity).has_value());
  CHECK(first_outside(std::vector<float>{0.0F, infinity}, infinity) == std::size_t{1});
  CHECK(first_outside(std::vector<float>{0.0F, -0.0F, 1e-45F}, 0.0F) == std::size_t{2});
  CHECK(first_outside(std::vector<float>{0.0F}, not_a_number) == std::size_t{0});
}
