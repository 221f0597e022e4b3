#pragma once

#include "server/strategy/strategy.h"

namespace fl::server {

/// FedAvg (McMahan et al. 2017, Algorithm 1): w_{t+1} = w_t + η·Δ_t with Δ_t = Σ_k n_k · Δ_k / Σ_k n_k, where
/// n_k are the examples and Δ_k = w_k − w_t the delta of device k. η = 1 is the paper's.
class FederatedAveraging final : public Strategy {
 public:
  explicit FederatedAveraging(double learning_rate = 1.0) : learning_rate_(learning_rate) {}

  std::uint32_t weight(std::uint32_t examples) const override { return examples; }
  void step(const ElementRange& range) const override;

 private:
  double learning_rate_;
};

}  // namespace fl::server
