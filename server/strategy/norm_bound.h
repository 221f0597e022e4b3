#pragma once

#include "server/strategy/aggregation_rule.h"

namespace fl::server {

/// Norm bounding (Sun et al. 2019, section 4): Δ_t = Σ_k n_k · Δ_k / max(1, ‖Δ_k‖₂ / M) / Σ_k n_k, so that no
/// round moves the model by more than M. n_k are the examples; the norm is that of the trained elements. Each
/// update's factor depends on that update alone.
class NormBound final : public AggregationRule {
 public:
  /// M, above 0.
  explicit NormBound(double bound) : bound_(bound) {}
  std::unique_ptr<Aggregation> begin(const RoundFacts& round) const override;

 private:
  double bound_;
};

}  // namespace fl::server
