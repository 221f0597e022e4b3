#include "server/strategy/strategy.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "server/strategy/federated_averaging.h"
#include "server/strategy/server_momentum.h"
#include "tests/unit/strategy/aggregating.h"
#include "tests/unit/strategy/refusal.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;
using doctest::Approx;

namespace {

Plan plan_for(const std::string& strategy) {
  Plan plan;
  plan.round.strategy = strategy;
  return plan;
}

/// Where the first round moves an element of 0 with this mean delta.
float first_step(const Plan& plan, double mean) {
  const std::unique_ptr<Strategy> strategy = make_strategy(plan);
  CHECK(strategy->weight(7) == 7);
  const std::vector<float> base(1, 0.0F);
  const std::vector<double> sum(1, 4.0 * mean);
  std::vector<float> m(1, strategy->initial_state(0));
  std::vector<float> v(1, strategy->initial_state(1));
  std::vector<float> next(1);
  strategy->step({base, sum, 4.0, {m, v}, next});
  return next[0];
}

}  // namespace

TEST_CASE("a strategy that does not exist is refused by name, with those that do (I9)") {
  CHECK(refusal(plan_for("fedsgd")) ==
        "the strategy 'fedsgd' is unknown; there are fedavg, fedprox, fedavgm, fedadagrad, fedyogi, fedadam, "
        "fednova, qfedavg, median, trimmed-mean, norm-bound, krum, multi-krum, geometric-median, "
        "fedbuff, scaffold");
}

TEST_CASE("every strategy is made by its name with its paper's defaults and takes its first step") {
  // A mean of 3, from 0: v is τ² = 1e-6 before.
  const double root_adagrad = std::sqrt(1e-6 + 9.0);
  const double root_adam = std::sqrt(0.99 * 1e-6 + 0.01 * 9.0);
  const double root_yogi = std::sqrt(1e-6 + 0.01 * 9.0);
  CHECK(first_step(plan_for("fedavg"), 3.0) == 3.0F);
  CHECK(first_step(plan_for("fedavgm"), 3.0) == 3.0F);
  CHECK(first_step(plan_for("fedadagrad"), 3.0) == Approx(0.1 * 3.0 / (root_adagrad + 1e-3)).epsilon(1e-6));
  CHECK(first_step(plan_for("fedadam"), 3.0) == Approx(0.1 * 0.3 / (root_adam + 1e-3)).epsilon(1e-6));
  CHECK(first_step(plan_for("fedyogi"), 3.0) == Approx(0.1 * 0.3 / (root_yogi + 1e-3)).epsilon(1e-6));
  Plan plan = plan_for("fedprox");
  plan.training.proximal_mu = 0.1;
  CHECK(first_step(plan, 3.0) == 3.0F);
}

TEST_CASE("a strategy takes its settings from the plan") {
  Plan plan = plan_for("fedavg");
  plan.round.server_learning_rate = 0.5;
  CHECK(first_step(plan, 3.0) == 1.5F);
  plan = plan_for("fedadam");
  plan.round.server_learning_rate = 2.0;
  plan.round.server_beta1 = 0.5;
  plan.round.server_beta2 = 0.75;
  plan.round.server_tau = 1.0;
  // v = 0.75 + 0.25 · 2.75² = 1.625²
  CHECK(first_step(plan, 2.75) == Approx(2.0 * 1.375 / 2.625).epsilon(1e-6));
}

TEST_CASE("a setting that a strategy has no use for is refused by name (I9)") {
  Plan plan = plan_for("fedavgm");
  plan.round.server_momentum = 0.5;
  CHECK(refusal(plan).empty());
  plan.round.server_tau = 0.5;
  CHECK(refusal(plan) ==
        "server_tau is nothing that the strategy fedavgm has; it has server_learning_rate, server_momentum");
  plan = plan_for("fedadagrad");
  plan.round.server_beta2 = 0.5;
  CHECK(refusal(plan).find("server_beta2 is nothing") == 0);
}

TEST_CASE("FedProx is refused where the devices' training has no proximal term (I9)") {
  Plan plan = plan_for("fedprox");
  CHECK(refusal(plan).find("proximal_mu above 0") != std::string::npos);
  plan.training.proximal_mu = 0.01;
  CHECK(refusal(plan).empty());
}

TEST_CASE("a rule's strategy moves the weights by its learning rate times what the rule gives") {
  Plan plan = plan_for("median");
  plan.round.minimum = plan.round.goal = 3;
  CHECK(make_strategy(plan)->rule() != nullptr);
  CHECK(make_strategy(plan_for("fedavg"))->rule() == nullptr);
  CHECK(first_step(plan, 3.0) == 3.0F);
  plan.round.server_learning_rate = 0.5;
  CHECK(first_step(plan, 3.0) == 1.5F);
}

TEST_CASE("a robust strategy refuses rounds in which it could not be robust (I9)") {
  for (const char* name : {"median", "trimmed-mean", "krum", "multi-krum", "geometric-median"}) {
    CHECK(refusal(plan_for(name)) ==
          "the round's minimum is 2 updates; the strategy " + std::string(name) + " allows 3 and more");
  }
  Plan plan = plan_for("median");
  plan.round.minimum = 3;
  plan.round.goal = 10'001;
  CHECK(refusal(plan) == "the round's goal is 10001 updates; the strategy median allows up to 10000");
  plan.round.goal = 10'000;
  CHECK(refusal(plan).empty());
  plan.round.strategy = "krum";
  CHECK(refusal(plan) == "the round's goal is 10000 updates; the strategy krum allows up to 1000");
}

TEST_CASE("robust strategies refuse settings that the round's updates cannot honour (I9)") {
  Plan plan = plan_for("trimmed-mean");
  plan.round.minimum = plan.round.goal = 5;
  CHECK(refusal(plan) ==
        "server_trim is 0.100000, which cuts off nothing of a round's minimum of 5 updates; the strategy "
        "trimmed-mean allows from 0.200000 to below 0.5");
  plan.round.server_trim = 0.2;
  CHECK(refusal(plan).empty());
  plan = plan_for("norm-bound");
  CHECK(refusal(plan) == "the strategy norm-bound needs server_norm_bound, the largest norm of an update");
  plan.round.server_norm_bound = 1.0;
  CHECK(refusal(plan).empty());
  plan.round.server_kept = 2;
  CHECK(refusal(plan).find("server_kept is nothing that the strategy norm-bound has") == 0);
  plan = plan_for("krum");
  plan.round.minimum = plan.round.goal = 8;
  CHECK(refusal(plan).empty());
  plan.round.server_attackers = 3;
  CHECK(refusal(plan) ==
        "server_attackers is 3 with a round's minimum of 8 updates; the strategy krum allows from 0 to 2");
  plan.round.server_attackers = 2;
  CHECK(refusal(plan).empty());
  plan.round.strategy = "multi-krum";
  plan.round.server_kept = 7;
  CHECK(refusal(plan) ==
        "server_kept is 7 with a round's minimum of 8 updates of which 2 are an attacker's; the strategy "
        "multi-krum allows from 1 to 6");
  plan.round.server_kept = 6;
  CHECK(refusal(plan).empty());
  plan = plan_for("geometric-median");
  plan.round.minimum = plan.round.goal = 3;
  plan.round.server_iterations = 8;
  plan.round.server_smoothing = 1e-3;
  CHECK(refusal(plan).empty());
}

TEST_CASE("FedNova refuses devices whose steps it could not count (I9)") {
  Plan plan = plan_for("fednova");
  plan.training.momentum = 0.9;
  CHECK(refusal(plan).empty());
  plan.training.proximal_mu = 0.5;
  CHECK(refusal(plan) == "proximal_mu is 0.500000; the strategy fednova allows 0");
  plan.training.optimizer = Optimizer::adam;
  CHECK(refusal(plan) == "the devices' optimizer is adam; the strategy fednova allows sgd");
}

TEST_CASE("q-FedAvg's L is by default the inverse of the devices' rate, and it has no rate of the server") {
  Plan plan = plan_for("qfedavg");
  plan.training.learning_rate = 0.25;
  const auto delta_with = [&] {
    test::RuledRound round;
    round.add({2.0F}, {1, 1, 1, 0.5});
    return round.apply(*make_strategy(plan)->rule())[0];
  };
  CHECK(delta_with() == Approx(2.0 * 0.5 / (4.0 * 4.0 + 0.5)).epsilon(1e-14));  // q = 1
  plan.round.server_lipschitz = 1.0;
  plan.round.server_q = 2.0;
  CHECK(delta_with() == Approx(2.0 * 0.25 / (2.0 * 0.5 * 4.0 + 0.25)).epsilon(1e-14));
  plan.round.server_learning_rate = 1.0;
  CHECK(refusal(plan) ==
        "server_learning_rate is nothing that the strategy qfedavg has; it has server_q, server_lipschitz");
}

TEST_CASE("buffers are plainly averaged whatever the strategy") {
  Layout layout;
  layout.add("weight", Datatype::fp32, {3}, Role::trained);
  layout.add("running_var", Datatype::fp32, {2}, Role::buffer);
  const ServerMomentum strategy(10.0, 0.5);
  const std::vector<float> base(5, 1.0F);
  const std::vector<double> sum(5, 4.0);
  std::vector<float> momentum(3, 0.0F);
  std::vector<float> next(5);
  CHECK(layout.trained_size() == 3);
  next_elements(strategy, 3, 0, {base, sum, 4.0, {momentum}, next});
  CHECK(next == std::vector<float>{11.0F, 11.0F, 11.0F, 2.0F, 2.0F});
  // In ranges that begin anywhere.
  for (std::size_t first = 0; first < 5; ++first) {
    std::vector<float> rest(5 - first);
    std::vector<float> state(first < 3 ? 3 - first : 0, 0.0F);
    next_elements(strategy, 3, first,
                  {std::span(base).subspan(first), std::span(sum).subspan(first), 4.0, {state}, rest});
    CHECK(rest == std::vector<float>(next.begin() + static_cast<std::ptrdiff_t>(first), next.end()));
  }
}
