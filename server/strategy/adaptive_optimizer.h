#pragma once

#include "server/strategy/strategy.h"

namespace fl::server {

/// How an adaptive optimiser keeps v, its measure of how much an element moves.
enum class SecondMoment : std::uint8_t {
  adagrad,  ///< v_t = v_{t−1} + Δ_t²
  yogi,     ///< v_t = v_{t−1} − (1 − β2)·Δ_t²·sign(v_{t−1} − Δ_t²)
  adam,     ///< v_t = β2·v_{t−1} + (1 − β2)·Δ_t²
};

/// FedAdagrad, FedYogi and FedAdam (Reddi et al. 2021, Algorithm 2): m_t = β1·m_{t−1} + (1 − β1)·Δ_t, v_t as
/// above, and w_{t+1} = w_t + η·m_t / (√v_t + τ), with Δ_t as in FedAvg, m_0 = 0 and v_0 = τ². The state is m
/// and v.
class AdaptiveOptimizer final : public Strategy {
 public:
  struct Settings {
    double learning_rate = 0.1;  ///< η
    double beta1 = 0.9;
    double beta2 = 0.99;
    double tau = 1e-3;
  };

  AdaptiveOptimizer(SecondMoment kind, const Settings& settings) : kind_(kind), settings_(settings) {}

  std::uint32_t weight(std::uint32_t examples) const override { return examples; }
  std::size_t state_vectors() const override { return 2; }
  float initial_state(std::size_t vector) const override;
  void step(const ElementRange& range) const override;

 private:
  SecondMoment kind_;
  Settings settings_;
};

}  // namespace fl::server
