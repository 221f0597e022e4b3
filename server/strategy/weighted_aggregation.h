#pragma once

#include <vector>

#include "server/strategy/aggregation_rule.h"

namespace fl::server {

/// Δ_t = Σ_k weight_k · Δ_k / total, added in the round's order, in double precision.
class WeightedAggregation : public Aggregation {
 public:
  void combine(const DeltaRange& range, std::span<double> delta) const override;

 protected:
  WeightedAggregation(const RoundFacts& round, double weight, double total)
      : elements_(round.elements),
        max_delta_(round.max_delta),
        weights_(round.updates.size(), weight),
        total_(total) {}

  /// Totals for so many sums of squares of elements, or of differences of elements.
  ExactTotals sums_of_squares(std::size_t count) const;
  /// Adds of every update the squared distance from Σ_k weight_k · Δ_k / total, as it is now.
  void add_squared_distances(const DeltaRange& range, ExactTotals& totals) const;

  std::vector<double>& weights() { return weights_; }
  const std::vector<double>& weights() const { return weights_; }
  void set_total(double total) { total_ = total; }

 private:
  std::size_t elements_;
  float max_delta_;
  std::vector<double> weights_;
  double total_;
};

/// Σ (a_i − b_i)², added in eight lanes, whatever the processor's vectors.
double squared_distance(std::span<const float> a, std::span<const float> b);

}  // namespace fl::server
