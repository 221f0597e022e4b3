#pragma once

#include "server/strategy/aggregation_rule.h"

namespace fl::server {

/// RFA (Pillutla, Kakade and Harchaoui 2022, Algorithm 2): Δ_t approaches the geometric median of the
/// updates, which minimises Σ_k ‖z − Δ_k‖₂, by R steps of the smoothed Weiszfeld algorithm: z ← Σ_k β_k · Δ_k
/// / Σ_k β_k with β_k = 1 / max(ν, ‖z − Δ_k‖₂). It begins at z = 0, where the round began, and not at the
/// mean, which an attacker can put anywhere. Every update counts the same: the paper's weights by examples
/// would let one device be more than half by what it says.
///
/// Goes over the updates R times and once more, and holds a number for each of them.
class GeometricMedian final : public AggregationRule {
 public:
  /// `iterations` is R, at least 1, and `smoothing` ν, above 0.
  GeometricMedian(std::uint32_t iterations, double smoothing)
      : iterations_(iterations), smoothing_(smoothing) {}
  std::unique_ptr<Aggregation> begin(const RoundFacts& round) const override;

 private:
  std::uint32_t iterations_;
  double smoothing_;
};

}  // namespace fl::server
