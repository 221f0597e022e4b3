#include "server/strategy/exact_totals.h"

#include <cmath>

namespace fl::server {

ExactTotals::ExactTotals(std::size_t count, double bound)
    : sums_(count), quanta_(std::ldexp(1.0, 124 - std::ilogb(bound))) {}

void ExactTotals::add(const ExactTotals& others) {
  for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += others.sums_[i];
}

}  // namespace fl::server
