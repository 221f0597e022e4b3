#include "server/strategy/exact_fold.h"

#include <algorithm>
#include <cmath>

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
  return fold_quantum(plan.goal, plan.max_examples, static_cast<float>(plan.max_delta)) / 2.0;
}

void ExactFold::add(std::size_t first, std::span<const float> delta, std::uint32_t weight) {
  const double factor = weight;
  const double rounder = 0x1.8p52 * quantum_;
  double* const sum = sum_.data() + first;
  const float* const values = delta.data();
  const std::size_t count = delta.size();
  for (std::size_t i = 0; i < count; ++i) {
    const double term = factor * static_cast<double>(values[i]);  // exact: 24 bits by at most 2^29
    sum[i] += (term + rounder) - rounder;
  }
}

}  // namespace fl::server
