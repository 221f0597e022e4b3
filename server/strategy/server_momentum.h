#pragma once

#include "server/strategy/strategy.h"

namespace fl::server {

/// FedAvgM (Hsu, Qi and Brown 2019, section 4.3): m_t = β·m_{t−1} + Δ_t and w_{t+1} = w_t + η·m_t, with Δ_t
/// as in FedAvg and m_0 = 0. The state is m.
class ServerMomentum final : public Strategy {
 public:
  ServerMomentum(double learning_rate, double momentum)
      : learning_rate_(learning_rate), momentum_(momentum) {}

  std::uint32_t weight(std::uint32_t examples) const override { return examples; }
  std::size_t state_vectors() const override { return 1; }
  void step(const ElementRange& range) const override;

 private:
  double learning_rate_;
  double momentum_;
};

}  // namespace fl::server
