#pragma once

#include "server/strategy/aggregation_rule.h"

namespace fl::server {

/// The coordinate-wise β-trimmed mean (Yin et al. 2018, Definition 2): of every element by itself, the ⌊β·K⌋
/// largest and as many of the smallest of the K updates' values are cut off, and Δ_t is the mean of the rest;
/// its sum is exact, of values rounded to a quantum as the fold has it. Every update counts the same, however
/// many examples it was trained on.
class TrimmedMean final : public AggregationRule {
 public:
  /// `trim` is β, at least 0. Where it would leave nothing, from ½ on, the one or two values in the middle
  /// are left: the median (Definition 1).
  explicit TrimmedMean(double trim) : trim_(trim) {}

  std::unique_ptr<Aggregation> begin(const RoundFacts& round) const override;
  /// How many values it cuts off at each end.
  std::size_t cut(std::size_t updates) const;

 private:
  double trim_;
};

/// The coordinate-wise median (Yin et al. 2018, Definition 1).
inline constexpr double trim_to_median = 0.5;

}  // namespace fl::server
