// The bytes of an update: what the check lets pass the fold takes, in one pass or in two, to the same bits.
#include <cmath>
#include <cstring>
#include <vector>

#include "common/model/finite.h"
#include "server/strategy/exact_fold.h"
#include "tests/fuzz/fuzz.h"

using namespace fl;
using namespace fl::fuzz;
using server::ExactFold;
using server::WeightedDelta;

namespace {

bool is_outside(float value, float bound) {
  return !std::isfinite(value) || std::abs(value) > bound;
}

}  // namespace

void fl::fuzz::try_input(ByteView input) {
  const float bound = std::ldexp(1.0F, take_byte(input) % 40 - 20);
  const std::uint32_t weight = 1U << (take_byte(input) % 30U);
  std::vector<float> values(input.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), input.data(), values.size() * sizeof(float));

  std::size_t first = 0;
  while (first < values.size() && !is_outside(values[first], bound)) ++first;
  const std::optional<std::size_t> found = first_outside(values, bound);
  require(found.value_or(values.size()) == first, "the check finds the first element that is outside");

  const double quantum = server::fold_quantum(2, weight, bound);
  const std::vector<WeightedDelta> twice{{values.data(), weight}, {values.data(), weight}};
  ExactFold together(values.size(), quantum, bound);
  require(together.add(0, values.size(), twice) == !found, "the fold takes what the check lets pass");
  if (found) return;
  ExactFold apart(values.size(), quantum, bound);
  for (const WeightedDelta& update : twice) require(apart.add(0, values.size(), {&update, 1}), "it is taken");
  for (std::size_t i = 0; i < values.size(); ++i) {
    require(together.sum()[i] == apart.sum()[i], "one pass and two give the same sum");
    require(std::abs(together.sum()[i] - 2.0 * weight * values[i]) <= quantum,
            "the sum is right to a quantum");
  }
}
