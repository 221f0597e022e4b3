#pragma once

#include "server/strategy/strategy.h"

namespace fl::server {

/// FedAvg (McMahan et al. 2017, Algorithm 1): w_{t+1} = w_t + Σ_k n_k · Δ_k / Σ_k n_k, with n_k the examples
/// and Δ_k = w_k − w_t the delta of device k. Buffers are averaged the same way.
class FederatedAveraging final : public Strategy {
 public:
  std::uint32_t weight(std::uint32_t examples) const override { return examples; }
  void next_version(const Layout& layout, std::span<const float> base, const ExactFold& fold,
                    std::span<float> next) const override;
};

}  // namespace fl::server
