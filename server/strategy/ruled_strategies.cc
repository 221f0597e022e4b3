#include "server/strategy/ruled_strategies.h"

#include <string>

#include "common/base/error.h"
#include "server/strategy/fair_averaging.h"
#include "server/strategy/geometric_median.h"
#include "server/strategy/krum.h"
#include "server/strategy/norm_bound.h"
#include "server/strategy/normalized_averaging.h"
#include "server/strategy/trimmed_mean.h"

namespace fl::server {
namespace {

constexpr double default_trim = 0.1;
// With two updates there is no majority to go by.
constexpr std::uint32_t smallest_majority = 3;

[[noreturn]] void refuse(const Plan& plan, const std::string& what, const std::string& allowed) {
  throw Error(ErrorCode::invalid_argument,
              what + "; the strategy " + plan.round.strategy + " allows " + allowed);
}

void check_updates(const Plan& plan, std::uint32_t least, std::uint32_t most) {
  const RoundPlan& round = plan.round;
  if (round.minimum < least) {
    refuse(plan, "the round's minimum is " + std::to_string(round.minimum) + " updates",
           std::to_string(least) + " and more");
  }
  if (round.goal > most) {
    refuse(plan, "the round's goal is " + std::to_string(round.goal) + " updates",
           "up to " + std::to_string(most));
  }
}

std::string with_minimum(const Plan& plan, const char* key, std::size_t value) {
  return std::string(key) + " is " + std::to_string(value) + " with a round's minimum of " +
         std::to_string(plan.round.minimum) + " updates";
}

template <typename Rule>
std::unique_ptr<Strategy> ruled(ServerSettings& settings, const Rule& rule) {
  const double rate = settings.take("server_learning_rate", 1.0);
  return std::make_unique<RuledStrategy>(std::make_unique<Rule>(rule), rate);
}

std::size_t attackers_of(ServerSettings& settings, const Plan& plan) {
  check_updates(plan, smallest_majority, most_paired_updates);
  const std::size_t most = (plan.round.minimum - 3) / 2;
  const auto attackers =
      static_cast<std::size_t>(settings.take("server_attackers", static_cast<double>(most)));
  if (attackers > most) {
    refuse(plan, with_minimum(plan, "server_attackers", attackers), "from 0 to " + std::to_string(most));
  }
  return attackers;
}

}  // namespace

std::unique_ptr<Strategy> make_median(ServerSettings& settings, const Plan& plan) {
  check_updates(plan, smallest_majority, most_ruled_updates);
  return ruled(settings, TrimmedMean(trim_to_median));
}

std::unique_ptr<Strategy> make_trimmed_mean(ServerSettings& settings, const Plan& plan) {
  check_updates(plan, smallest_majority, most_ruled_updates);
  const double trim = settings.take("server_trim", default_trim);
  const TrimmedMean rule(trim);
  if (rule.cut(plan.round.minimum) == 0) {
    throw Error(ErrorCode::invalid_argument, "server_trim is " + std::to_string(trim) +
                                                 ", which cuts off nothing of a round's minimum of " +
                                                 std::to_string(plan.round.minimum) +
                                                 " updates; the strategy trimmed-mean allows from " +
                                                 std::to_string(1.0 / plan.round.minimum) + " to below 0.5");
  }
  return ruled(settings, rule);
}

std::unique_ptr<Strategy> make_norm_bound(ServerSettings& settings, const Plan& plan) {
  check_updates(plan, 1, most_ruled_updates);
  const std::optional<double> bound = settings.take("server_norm_bound");
  if (!bound) {
    throw Error(ErrorCode::invalid_argument,
                "the strategy norm-bound needs server_norm_bound, the largest norm of an update");
  }
  return ruled(settings, NormBound(*bound));
}

std::unique_ptr<Strategy> make_krum(ServerSettings& settings, const Plan& plan) {
  return ruled(settings, Krum(attackers_of(settings, plan), 1));
}

std::unique_ptr<Strategy> make_multi_krum(ServerSettings& settings, const Plan& plan) {
  const std::size_t attackers = attackers_of(settings, plan);
  const std::size_t most = plan.round.minimum - attackers;
  // As many as El Mhamdi, Guerraoui and Rouault (2018) prove it for.
  const auto kept = static_cast<std::size_t>(settings.take("server_kept", static_cast<double>(most - 2)));
  if (kept > most) {
    refuse(plan,
           with_minimum(plan, "server_kept", kept) + " of which " + std::to_string(attackers) +
               " are an attacker's",
           "from 1 to " + std::to_string(most));
  }
  return ruled(settings, Krum(attackers, kept));
}

std::unique_ptr<Strategy> make_fednova(ServerSettings& settings, const Plan& plan) {
  check_updates(plan, 1, most_ruled_updates);
  if (plan.training.optimizer != Optimizer::sgd) {
    refuse(plan, "the devices' optimizer is " + std::string(name(plan.training.optimizer)), "sgd");
  }
  if (plan.training.proximal_mu > 0) {
    refuse(plan, "proximal_mu is " + std::to_string(plan.training.proximal_mu), "0");
  }
  return ruled(settings, NormalizedAveraging(plan.training));
}

std::unique_ptr<Strategy> make_qfedavg(ServerSettings& settings, const Plan& plan) {
  check_updates(plan, 1, most_ruled_updates);
  const double fairness = settings.take("server_q", 1.0);
  const double lipschitz = settings.take("server_lipschitz", 1.0 / plan.training.learning_rate);
  return std::make_unique<RuledStrategy>(std::make_unique<FairAveraging>(fairness, lipschitz), 1.0);
}

std::unique_ptr<Strategy> make_geometric_median(ServerSettings& settings, const Plan& plan) {
  check_updates(plan, smallest_majority, most_ruled_updates);
  const auto iterations = static_cast<std::uint32_t>(settings.take("server_iterations", 4.0));
  return ruled(settings, GeometricMedian(iterations, settings.take("server_smoothing", 1e-6)));
}

}  // namespace fl::server
