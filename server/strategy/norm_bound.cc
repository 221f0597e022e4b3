#include "server/strategy/norm_bound.h"

#include <algorithm>
#include <cmath>

#include "server/strategy/weighted_aggregation.h"

namespace fl::server {
namespace {

class BoundedAggregation final : public WeightedAggregation {
 public:
  BoundedAggregation(const RoundFacts& round, double bound)
      : WeightedAggregation(round, 0.0, 1.0), bound_(bound) {
    for (const UpdateFacts& update : round.updates) examples_.push_back(update.examples);
  }

  std::optional<ExactTotals> next_survey() const override {
    if (surveyed_) return std::nullopt;
    return sums_of_squares(examples_.size());
  }
  /// While the weights are 0: squared norms.
  void survey(const DeltaRange& range, ExactTotals& totals) const override {
    add_squared_distances(range, totals);
  }
  void surveyed(const ExactTotals& totals) override {
    double total = 0.0;
    for (std::size_t update = 0; update < examples_.size(); ++update) {
      const double norm = std::sqrt(totals.value(update));
      weights()[update] = examples_[update] / std::max(1.0, norm / bound_);
      total += examples_[update];
    }
    set_total(total);
    surveyed_ = true;
  }

 private:
  double bound_;
  std::vector<double> examples_;
  bool surveyed_ = false;
};

}  // namespace

std::unique_ptr<Aggregation> NormBound::begin(const RoundFacts& round) const {
  return std::make_unique<BoundedAggregation>(round, bound_);
}

}  // namespace fl::server
