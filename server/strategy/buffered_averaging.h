#pragma once

#include <memory>

#include "common/model/plan.h"
#include "server/strategy/server_settings.h"
#include "server/strategy/strategy.h"

namespace fl::server {

/// FedBuff (Nguyen et al. 2022, Algorithm 1): w_{t+1} = w_t + η·Δ_t with Δ_t = Σ_k s(τ_k)·Δ_k / K over the K
/// updates of a buffer. τ_k is how many versions the one that update k was trained from is behind, and
/// s(τ) = 1 / √(1 + τ). The devices' examples do not weigh.
class BufferedAveraging final : public Strategy {
 public:
  /// Of a buffer of so many updates.
  BufferedAveraging(double learning_rate, std::uint32_t updates)
      : learning_rate_(learning_rate), updates_(updates) {}

  /// s(0): what an update counts for that is not behind. Others count for s(τ) times it, rounded.
  static constexpr std::uint32_t fresh_weight = std::uint32_t{1} << 24U;

  std::uint32_t weight(std::uint32_t /*examples*/) const override { return fresh_weight; }
  std::uint32_t stale_weight(std::uint32_t examples, std::uint64_t staleness) const override;
  void step(const ElementRange& range) const override;

 private:
  double learning_rate_;
  std::uint32_t updates_;
};

/// Throws Error(invalid_argument) naming the setting that is missing or cannot be honoured.
std::unique_ptr<Strategy> make_fedbuff(ServerSettings& settings, const Plan& plan);

}  // namespace fl::server
