#include "server/strategy/fair_averaging.h"

#include <algorithm>

#include "server/strategy/power.h"
#include "server/strategy/weighted_aggregation.h"

namespace fl::server {
namespace {

// For a loss of 0, of which h_k^t needs a power below 0.
constexpr double least_loss = 1e-10;
constexpr double largest_loss = 1e9;

/// Everything divided by L·F_max^q, so that no power leaves the range of doubles.
class FairAggregation final : public WeightedAggregation {
 public:
  FairAggregation(const RoundFacts& round, double fairness, double lipschitz)
      : WeightedAggregation(round, 0.0, 1.0), fairness_(fairness), lipschitz_(lipschitz) {
    for (const UpdateFacts& update : round.updates) {
      examples_.push_back(update.examples);
      losses_.push_back(fairness > 0.0 ? std::max(update.test_loss, least_loss) : 1.0);
    }
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
    const double largest = *std::max_element(losses_.begin(), losses_.end());
    double total = 0.0;
    for (std::size_t update = 0; update < examples_.size(); ++update) {
      const double loss = losses_[update] / largest;
      weights()[update] = examples_[update] * power(loss, fairness_);
      const double curvature =
          fairness_ * power(loss, fairness_ - 1.0) * lipschitz_ * totals.value(update) / largest;
      total += weights()[update] + examples_[update] * curvature;
    }
    set_total(total);
    surveyed_ = true;
  }

 private:
  double fairness_;
  double lipschitz_;
  std::vector<double> examples_;
  std::vector<double> losses_;
  bool surveyed_ = false;
};

}  // namespace

std::string FairAveraging::objection(const UpdateFacts& update) const {
  if (fairness_ == 0.0) return "";
  if (update.test_examples == 0) {
    return "the update comes without a loss on held-out examples, by which this task weighs it";
  }
  if (update.test_loss >= 0.0 && update.test_loss <= largest_loss) return "";
  return "the update says a loss of " + std::to_string(update.test_loss) +
         " on held-out examples, it must be from 0 to 1e9";
}

std::unique_ptr<Aggregation> FairAveraging::begin(const RoundFacts& round) const {
  return std::make_unique<FairAggregation>(round, fairness_, lipschitz_);
}

}  // namespace fl::server
