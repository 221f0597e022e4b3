#pragma once

#include <memory>

#include "common/model/plan.h"
#include "server/strategy/federated_averaging.h"
#include "server/strategy/server_settings.h"
#include "server/strategy/strategy.h"

namespace fl::server {

/// w_{t+1} = w_t + η·Δ_t with Δ_t as a rule has it.
class RuledStrategy final : public Strategy {
 public:
  RuledStrategy(std::unique_ptr<AggregationRule> rule, double learning_rate)
      : rule_(std::move(rule)), average_(learning_rate) {}

  std::uint32_t weight(std::uint32_t examples) const override { return average_.weight(examples); }
  const AggregationRule* rule() const override { return rule_.get(); }
  void step(const ElementRange& range) const override { average_.step(range); }

 private:
  std::unique_ptr<AggregationRule> rule_;
  FederatedAveraging average_;
};

/// The most updates in a round under a rule: what is read of each at a time must be worth reading.
inline constexpr std::uint32_t most_ruled_updates = 10'000;
/// The most where a number is held for each pair of them.
inline constexpr std::uint32_t most_paired_updates = 1'000;

// Strategies of which make_strategy() says more. Each throws Error(invalid_argument) naming the setting, or
// the round's goal or minimum, that it cannot honour, and what it allows.
std::unique_ptr<Strategy> make_median(ServerSettings& settings, const Plan& plan);
std::unique_ptr<Strategy> make_trimmed_mean(ServerSettings& settings, const Plan& plan);
std::unique_ptr<Strategy> make_norm_bound(ServerSettings& settings, const Plan& plan);
std::unique_ptr<Strategy> make_krum(ServerSettings& settings, const Plan& plan);
std::unique_ptr<Strategy> make_multi_krum(ServerSettings& settings, const Plan& plan);
std::unique_ptr<Strategy> make_fednova(ServerSettings& settings, const Plan& plan);
std::unique_ptr<Strategy> make_qfedavg(ServerSettings& settings, const Plan& plan);
std::unique_ptr<Strategy> make_geometric_median(ServerSettings& settings, const Plan& plan);

}  // namespace fl::server
