#include "server/strategy/scaffold.h"

#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/strategy/refusal.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

Plan scaffold_plan() {
  Plan plan;
  plan.round.strategy = "scaffold";
  plan.round.server_population = 10;
  return plan;
}

/// A device that descends on a·(y − m)²/2 by gradients that are corrected as in Algorithm 1.
struct Device {
  double curvature;
  double optimum;
  double control = 0.0;

  /// Δy and Δc of ten steps, of which the latter is its own from then on.
  std::pair<float, float> train(double x, double c) {
    constexpr int steps = 10;
    constexpr double rate = 0.1;
    double y = x;
    for (int step = 0; step < steps; ++step) y -= rate * (curvature * (y - optimum) - control + c);
    const auto change = static_cast<float>(-c + (x - y) / (steps * rate));
    control += static_cast<double>(change);
    return {static_cast<float>(y - x), change};
  }
};

}  // namespace

TEST_CASE("SCAFFOLD moves the model by the mean and the control by the sum over all devices there are") {
  const Scaffold strategy(0.5, 8);
  const std::vector<float> base = {10.0F, 20.0F};
  const std::vector<double> moved = {3.0 + 1.0, -2.0 - 6.0};  // of two devices
  const std::vector<double> changed = {1.0 + 3.0, 8.0 + 8.0};
  std::vector<float> control = {0.25F, -1.0F};
  std::vector<float> next(2);
  ElementRange range{base, moved, 2.0, {control}, next};
  range.control_sum = changed;
  strategy.step(range);
  CHECK(next == std::vector<float>{11.0F, 18.0F});    // 10 + 2/2, 20 − 4/2
  CHECK(control == std::vector<float>{0.75F, 1.0F});  // 1/4 + 4/8, −1 + 16/8
  CHECK(strategy.weight(1) == 1);
  CHECK(strategy.weight(10'000) == 1);
}

TEST_CASE(
    "SCAFFOLD finds the optimum of all devices where FedAvg drifts though only some take part in a round") {
  // Their optimum is (1·0 + 4·3 − 1/2·2) / 5.5 = 2; FedAvg's fixed point is near 1.06.
  std::array<Device, 3> devices{{{1.0, 0.0}, {4.0, 3.0}, {0.5, -2.0}}};
  const Scaffold strategy(1.0, 3);
  std::vector<float> model = {10.0F};
  std::vector<float> control = {0.0F};
  for (std::size_t round = 0; round < 300; ++round) {
    std::vector<double> moved = {0.0};
    std::vector<double> changed = {0.0};
    for (const std::size_t who : {round % 3, (round + 1) % 3}) {
      const auto [step, change] = devices.at(who).train(model[0], control[0]);
      moved[0] += static_cast<double>(step);
      changed[0] += static_cast<double>(change);
    }
    std::vector<float> next(1);
    ElementRange range{model, moved, 2.0, {control}, next};
    range.control_sum = changed;
    strategy.step(range);
    model = next;
  }
  CHECK(std::abs(model[0] - 2.0F) < 1e-4F);
  // The server's control is the mean of the devices'.
  double mean = 0.0;
  for (const Device& device : devices) mean += device.control / 3.0;
  CHECK(std::abs(static_cast<double>(control[0]) - mean) < 1e-4);
}

TEST_CASE("SCAFFOLD refuses devices that do not take plain steps and a population that cannot be (I9)") {
  CHECK(refusal(scaffold_plan()).empty());
  Plan plan = scaffold_plan();
  plan.round.server_population.reset();
  CHECK(refusal(plan) == "the strategy scaffold needs server_population, how many devices the task has");
  plan = scaffold_plan();
  plan.round.goal = 11;
  CHECK(refusal(plan) ==
        "server_population is 10; the strategy scaffold allows no fewer devices than the round's goal, 11");
  plan = scaffold_plan();
  plan.round.encoding = Encoding::int8;
  CHECK(refusal(plan) == "updates are encoded as int8; the strategy scaffold allows fp32 and fp16");
  plan.round.encoding = Encoding::fp16;
  CHECK(refusal(plan).empty());
  plan = scaffold_plan();
  plan.training.optimizer = Optimizer::adam;
  CHECK(refusal(plan) == "the devices' optimizer is adam; the strategy scaffold allows sgd");
  plan = scaffold_plan();
  plan.training.momentum = 0.5;
  CHECK(refusal(plan) == "momentum is 0.500000; the strategy scaffold allows 0");
  plan = scaffold_plan();
  plan.training.proximal_mu = 0.5;
  CHECK(refusal(plan) == "proximal_mu is 0.500000; the strategy scaffold allows 0");
  plan = scaffold_plan();
  plan.training.gradient_clip = 1.0;
  CHECK(refusal(plan) == "gradient_clip is 1.000000; the strategy scaffold allows 0");
  plan = scaffold_plan();
  plan.training.weight_decay = 0.01;
  plan.round.server_max_control = 4.0;
  plan.round.server_learning_rate = 0.5;
  CHECK(refusal(plan).empty());
  plan.round.server_momentum = 0.5;
  CHECK(refusal(plan).find("server_momentum is nothing that the strategy scaffold has") == 0);
}
