#include "server/strategy/geometric_median.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "server/strategy/weighted_aggregation.h"

namespace fl::server {
namespace {

class WeiszfeldAggregation final : public WeightedAggregation {
 public:
  WeiszfeldAggregation(const RoundFacts& round, std::uint32_t iterations, double smoothing)
      : WeightedAggregation(round, 0.0, 1.0), iterations_left_(iterations), smoothing_(smoothing) {}

  std::optional<ExactTotals> next_survey() const override {
    if (iterations_left_ == 0) return std::nullopt;
    return sums_of_squares(weights().size());
  }
  void survey(const DeltaRange& range, ExactTotals& totals) const override {
    add_squared_distances(range, totals);
  }
  void surveyed(const ExactTotals& totals) override {
    for (std::size_t update = 0; update < weights().size(); ++update) {
      weights()[update] = 1.0 / std::max(smoothing_, std::sqrt(totals.value(update)));
    }
    set_total(std::accumulate(weights().begin(), weights().end(), 0.0));
    --iterations_left_;
  }

 private:
  std::uint32_t iterations_left_;
  double smoothing_;
};

}  // namespace

std::unique_ptr<Aggregation> GeometricMedian::begin(const RoundFacts& round) const {
  return std::make_unique<WeiszfeldAggregation>(round, iterations_, smoothing_);
}

}  // namespace fl::server
