#include "server/strategy/exact_fold.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace fl::server {

double fold_quantum(std::uint32_t updates, std::uint32_t max_weight, double max_delta) {
  // With at least four updates' room a single term is at most 2^51·q, as rounding by the constant needs; the
  // factor leaves room for what rounding to q adds to the sum.
  const double bound = std::max(updates, 4U) * static_cast<double>(max_weight) * max_delta * (1.0 + 0x1p-20);
  int exponent = 0;
  const double fraction = std::frexp(bound, &exponent);
  if (fraction == 0.5) --exponent;
  return std::ldexp(1.0, exponent - 53);
}

double mean_resolution(const RoundPlan& plan) {
  const bool examples_weigh = !plan.asynchronous() && !plan.has_controls();
  const double bound = plan.has_controls() ? std::max(plan.max_delta, plan.max_control()) : plan.max_delta;
  return fold_quantum(plan.goal, examples_weigh ? plan.max_examples : 1, static_cast<float>(bound)) / 2.0;
}

bool ExactFold::add(std::size_t first, std::size_t count, std::span<const WeightedDelta> updates) {
  std::uint32_t largest = 0;
  while (!updates.empty()) {
    const auto now = updates.first(std::min(updates.size(), widest_pass));
    largest =
        std::max(largest, fold_pass(sum_.data() + first, count, now.data(), now.size(), 0x1.8p52 * quantum_));
    updates = updates.subspan(now.size());
  }
  // The bits of magnitudes are in the order of what they stand for, with infinity and NaN last.
  return largest <= std::bit_cast<std::uint32_t>(std::min(max_delta_, std::numeric_limits<float>::max()));
}

}  // namespace fl::server
