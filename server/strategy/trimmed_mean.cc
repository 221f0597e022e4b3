#include "server/strategy/trimmed_mean.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "server/strategy/exact_fold.h"

namespace fl::server {
namespace {

// As many floats as a line of the cache has are gathered from every update together.
constexpr std::size_t columns_at_once = 16;

class TrimmedAggregation final : public Aggregation {
 public:
  TrimmedAggregation(const RoundFacts& round, std::size_t cut)
      : cut_(cut),
        rounder_(0x1.8p52 *
                 fold_quantum(static_cast<std::uint32_t>(round.updates.size()), 1, round.max_delta)) {}

  void combine(const DeltaRange& range, std::span<double> delta) const override {
    const std::size_t updates = range.updates.size();
    std::vector<float> columns(updates * columns_at_once);
    for (std::size_t first = 0; first < range.count; first += columns_at_once) {
      const std::size_t count = std::min(columns_at_once, range.count - first);
      for (std::size_t update = 0; update < updates; ++update) {
        const float* const values = range.updates[update] + first;
        for (std::size_t i = 0; i < count; ++i) columns[i * updates + update] = values[i];
      }
      for (std::size_t i = 0; i < count; ++i) {
        delta[first + i] = mean_of_rest(std::span(columns).subspan(i * updates, updates));
      }
    }
  }

 private:
  double mean_of_rest(std::span<float> values) const {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(cut_);
    const auto end = values.end() - static_cast<std::ptrdiff_t>(cut_);
    if (cut_ > 0) {
      std::nth_element(values.begin(), begin, values.end());
      std::nth_element(begin, end - 1, values.end());
    }
    double sum = 0.0;
    for (auto value = begin; value != end; ++value)
      sum += (static_cast<double>(*value) + rounder_) - rounder_;
    return sum / static_cast<double>(end - begin);
  }

  std::size_t cut_;
  double rounder_;
};

}  // namespace

std::size_t TrimmedMean::cut(std::size_t updates) const {
  // A product such as 0.29 · 100 is a little below what is meant.
  const auto meant = static_cast<std::size_t>(std::floor(trim_ * static_cast<double>(updates) + 1e-9));
  return std::min(meant, (updates - 1) / 2);
}

std::unique_ptr<Aggregation> TrimmedMean::begin(const RoundFacts& round) const {
  return std::make_unique<TrimmedAggregation>(round, cut(round.updates.size()));
}

}  // namespace fl::server
