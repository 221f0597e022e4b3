#include "server/strategy/strategy.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "server/strategy/adaptive_optimizer.h"
#include "server/strategy/buffered_averaging.h"
#include "server/strategy/federated_averaging.h"
#include "server/strategy/ruled_strategies.h"
#include "server/strategy/scaffold.h"
#include "server/strategy/server_momentum.h"
#include "server/strategy/server_settings.h"

namespace fl::server {
namespace {

std::unique_ptr<Strategy> averaging(ServerSettings& settings, const Plan& /*plan*/) {
  return std::make_unique<FederatedAveraging>(settings.take("server_learning_rate", 1.0));
}

std::unique_ptr<Strategy> proximal(ServerSettings& settings, const Plan& plan) {
  if (!(plan.training.proximal_mu > 0)) {
    throw Error(
        ErrorCode::invalid_argument,
        "the strategy fedprox needs proximal_mu above 0 in the devices' training; with 0 it is fedavg");
  }
  return averaging(settings, plan);
}

std::unique_ptr<Strategy> momentum(ServerSettings& settings, const Plan& /*plan*/) {
  const double rate = settings.take("server_learning_rate", 1.0);
  return std::make_unique<ServerMomentum>(rate, settings.take("server_momentum", 0.9));
}

template <SecondMoment kind>
std::unique_ptr<Strategy> adaptive(ServerSettings& settings, const Plan& /*plan*/) {
  AdaptiveOptimizer::Settings chosen;
  chosen.learning_rate = settings.take("server_learning_rate", chosen.learning_rate);
  // As usual for Adagrad, the paper gives it no momentum.
  chosen.beta1 = settings.take("server_beta1", kind == SecondMoment::adagrad ? 0.0 : chosen.beta1);
  if (kind != SecondMoment::adagrad) chosen.beta2 = settings.take("server_beta2", chosen.beta2);
  chosen.tau = settings.take("server_tau", chosen.tau);
  return std::make_unique<AdaptiveOptimizer>(kind, chosen);
}

struct Known {
  std::string_view name;
  std::unique_ptr<Strategy> (*make)(ServerSettings& settings, const Plan& plan);
};
constexpr std::array<Known, 16> known_strategies{{{"fedavg", averaging},
                                                  {"fedprox", proximal},
                                                  {"fedavgm", momentum},
                                                  {"fedadagrad", adaptive<SecondMoment::adagrad>},
                                                  {"fedyogi", adaptive<SecondMoment::yogi>},
                                                  {"fedadam", adaptive<SecondMoment::adam>},
                                                  {"fednova", make_fednova},
                                                  {"qfedavg", make_qfedavg},
                                                  {"median", make_median},
                                                  {"trimmed-mean", make_trimmed_mean},
                                                  {"norm-bound", make_norm_bound},
                                                  {"krum", make_krum},
                                                  {"multi-krum", make_multi_krum},
                                                  {"geometric-median", make_geometric_median},
                                                  {"fedbuff", make_fedbuff},
                                                  {"scaffold", make_scaffold}}};

}  // namespace

void next_elements(const Strategy& strategy, std::size_t trained, std::size_t first,
                   const ElementRange& range) {
  const std::size_t count = range.next.size();
  const std::size_t moved = std::min(count, trained - std::min(first, trained));
  if (moved > 0) {
    const std::size_t controls = std::min(moved, range.control_sum.size());
    strategy.step({range.base.first(moved), range.sum.first(moved), range.total_weight, range.state,
                   range.next.first(moved), range.control_sum.first(controls)});
  }
  for (std::size_t i = moved; i < count; ++i) {
    range.next[i] =
        static_cast<float>(static_cast<double>(range.base[i]) + range.sum[i] / range.total_weight);
  }
}

std::unique_ptr<Strategy> make_strategy(const Plan& plan) {
  const std::string& name = plan.round.strategy;
  const auto* const found = std::find_if(known_strategies.begin(), known_strategies.end(),
                                         [&](const Known& known) { return known.name == name; });
  if (found == known_strategies.end()) {
    std::string sentence = "the strategy '" + name + "' is unknown; there are ";
    for (const Known& known : known_strategies) {
      sentence += (&known == &known_strategies.front() ? "" : ", ") + std::string(known.name);
    }
    throw Error(ErrorCode::invalid_argument, sentence);
  }
  ServerSettings settings(plan.round);
  std::unique_ptr<Strategy> strategy = found->make(settings, plan);
  settings.finish(name);
  return strategy;
}

}  // namespace fl::server
