#include "server/strategy/weighted_aggregation.h"

#include <algorithm>
#include <array>

namespace fl::server {
namespace {

constexpr std::size_t lanes = 8;

template <typename Other>
double sum_of_squares(const float* a, const Other* b, std::size_t count) {
  std::array<double, lanes> sums{};
  std::size_t first = 0;
  for (; first + lanes <= count; first += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const double difference = static_cast<double>(a[first + lane]) - static_cast<double>(b[first + lane]);
      sums[lane] += difference * difference;
    }
  }
  for (std::size_t i = first; i < count; ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sums[i - first] += difference * difference;
  }
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

}  // namespace

double squared_distance(std::span<const float> a, std::span<const float> b) {
  return sum_of_squares(a.data(), b.data(), a.size());
}

void WeightedAggregation::combine(const DeltaRange& range, std::span<double> delta) const {
  std::fill(delta.begin(), delta.end(), 0.0);
  for (std::size_t update = 0; update < weights_.size(); ++update) {
    const double weight = weights_[update];
    const float* const values = range.updates[update];
    if (weight == 0.0) continue;
    for (std::size_t i = 0; i < range.count; ++i) delta[i] += weight * static_cast<double>(values[i]);
  }
  for (double& each : delta) each /= total_;
}

ExactTotals WeightedAggregation::sums_of_squares(std::size_t count) const {
  const double largest = 2.0 * static_cast<double>(max_delta_);
  // Twice what it could be, so that rounding has room.
  return {count, 2.0 * static_cast<double>(std::max<std::size_t>(elements_, 1)) * largest * largest};
}

void WeightedAggregation::add_squared_distances(const DeltaRange& range, ExactTotals& totals) const {
  std::array<double, block_elements> centre{};
  std::vector<const float*> block(range.updates.begin(), range.updates.end());
  for (std::size_t first = 0; first < range.count; first += block_elements) {
    const std::size_t count = std::min(block_elements, range.count - first);
    WeightedAggregation::combine({block, count}, std::span(centre).first(count));
    for (std::size_t update = 0; update < block.size(); ++update) {
      totals.add(update, sum_of_squares(block[update], centre.data(), count));
      block[update] += count;
    }
  }
}

}  // namespace fl::server
