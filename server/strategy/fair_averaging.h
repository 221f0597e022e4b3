#pragma once

#include <string>

#include "server/strategy/aggregation_rule.h"

namespace fl::server {

/// q-FedAvg (Li, Sanjabi, Beirami and Smith 2020, Algorithm 2): Δ_t = −Σ_k Δ_k^t / Σ_k h_k^t with
/// Δw_k = −L·Δ_k, Δ_k^t = n_k·F_k^q·Δw_k and h_k^t = n_k·(q·F_k^(q−1)·‖Δw_k‖₂² + L·F_k^q). F_k is the loss of
/// w_t on the examples that device k holds out, n_k its examples, by which the paper has devices chosen and
/// which weigh here instead; the norm is that of the trained elements.
class FairAveraging final : public AggregationRule {
 public:
  /// `fairness` is q, at least 0; `lipschitz` is L, above 0.
  FairAveraging(double fairness, double lipschitz) : fairness_(fairness), lipschitz_(lipschitz) {}

  /// An update counts only with a loss that can be one, unless q is 0.
  std::string objection(const UpdateFacts& update) const override;
  std::unique_ptr<Aggregation> begin(const RoundFacts& round) const override;

 private:
  double fairness_;
  double lipschitz_;
};

}  // namespace fl::server
