#include "server/strategy/strategy.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "server/strategy/federated_averaging.h"
#include "server/strategy/server_momentum.h"

using namespace fl;
using namespace fl::server;

namespace {

Plan plan_for(const std::string& strategy) {
  Plan plan;
  plan.round.strategy = strategy;
  return plan;
}

std::string refusal(const Plan& plan) {
  try {
    make_strategy(plan);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_argument);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a strategy that does not exist is refused by name, with those that do (I9)") {
  CHECK(refusal(plan_for("fedsgd")) ==
        "the strategy 'fedsgd' is unknown; there are fedavg, fedprox, fedavgm, fedadagrad, fedyogi, fedadam");
}

TEST_CASE("every strategy is made by its name and weighs an update by its examples") {
  for (const char* const name : {"fedavg", "fedavgm", "fedadagrad", "fedyogi", "fedadam"}) {
    CHECK(make_strategy(plan_for(name))->weight(7) == 7);
  }
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

TEST_CASE("buffers are plainly averaged whatever the strategy") {
  Layout layout;
  layout.add("weight", Datatype::fp32, {3}, Role::trained);
  layout.add("running_var", Datatype::fp32, {2}, Role::buffer);
  const ServerMomentum strategy(10.0, 0.5);
  const std::vector<float> base(5, 1.0F);
  const std::vector<double> sum(5, 4.0);
  std::vector<float> momentum(3, 0.0F);
  std::vector<float> next(5);
  CHECK(trained_elements(layout) == 3);
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
