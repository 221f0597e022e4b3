#pragma once

#include <string>

#include "common/model/plan.h"
#include "server/strategy/aggregation_rule.h"

namespace fl::server {

/// FedNova (Wang et al. 2020, equation 11 and section 4.1): Δ_t = τ_eff · Σ_k p_k · Δ_k / ‖a_k‖₁ with
/// p_k = n_k / Σ_j n_j and τ_eff = Σ_k p_k · ‖a_k‖₁. n_k are the examples; ‖a_k‖₁, how much of its gradients
/// device k took in, is its number of steps τ_k, and (τ_k − ρ·(1 − ρ^τ_k) / (1 − ρ)) / (1 − ρ) where it
/// trains with momentum ρ.
class NormalizedAveraging final : public AggregationRule {
 public:
  /// Of devices that train with sgd.
  explicit NormalizedAveraging(const TrainingPlan& training) : training_(training) {}

  /// A device's τ_k follows from its plan and examples, but for whether a last small batch is one of its own.
  std::string objection(const UpdateFacts& update) const override;
  std::unique_ptr<Aggregation> begin(const RoundFacts& round) const override;

  /// ‖a_k‖₁ after so many steps, at least 1.
  double normalizer(std::uint64_t steps) const;

 private:
  TrainingPlan training_;
};

}  // namespace fl::server
