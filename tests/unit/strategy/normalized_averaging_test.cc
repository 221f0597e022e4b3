#include "server/strategy/normalized_averaging.h"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/strategy/aggregating.h"

using namespace fl;
using namespace fl::server;
using doctest::Approx;
using test::RuledRound;

namespace {

TrainingPlan sgd(double momentum = 0.0) {
  TrainingPlan plan;
  plan.momentum = momentum;
  return plan;
}

/// How much of its gradients a device takes in: what so many steps with gradients of 1 at a rate of 1 come
/// to.
double taken_in(double momentum, int steps) {
  double velocity = 0.0;
  double moved = 0.0;
  for (int step = 0; step < steps; ++step) {
    velocity = momentum * velocity + 1.0;
    moved += velocity;
  }
  return moved;
}

}  // namespace

TEST_CASE("FedNova divides a delta by its steps and multiplies the mean by the mean of the steps") {
  RuledRound round;
  round.add({4.0F, -8.0F}, {30, 4, 0, 0.0});
  round.add({10.0F, 20.0F}, {10, 20, 0, 0.0});
  // τ_eff = (30·4 + 10·20) / 40 = 8; Σ p·Δ/τ = 3/4·1 + 1/4·1/2 = 7/8 and 3/4·−2 + 1/4·1 = −5/4.
  const std::vector<double> delta = round.apply(NormalizedAveraging(sgd()));
  CHECK(delta[0] == Approx(7.0).epsilon(1e-14));
  CHECK(delta[1] == Approx(-10.0).epsilon(1e-14));
}

TEST_CASE("with the same steps everywhere FedNova is FedAvg") {
  RuledRound round;
  round.add({1.0F}, {30, 5, 0, 0.0});
  round.add({5.0F}, {10, 5, 0, 0.0});
  CHECK(round.apply(NormalizedAveraging(sgd()))[0] == Approx(2.0).epsilon(1e-14));
  CHECK(round.apply(NormalizedAveraging(sgd(0.9)))[0] == Approx(2.0).epsilon(1e-14));
}

TEST_CASE("with momentum a step counts for what is taken in of its gradient until the last one") {
  for (const double momentum : {0.0, 0.5, 0.9, 1.0 - 1e-13}) {
    const NormalizedAveraging rule(sgd(momentum));
    for (const int steps : {1, 2, 3, 17, 1'000}) {
      CHECK(rule.normalizer(static_cast<std::uint64_t>(steps)) ==
            Approx(taken_in(momentum, steps)).epsilon(1e-12));
    }
  }
  // As the paper writes it.
  CHECK(NormalizedAveraging(sgd(0.9)).normalizer(30) ==
        Approx((30.0 - 0.9 * (1.0 - std::pow(0.9, 30)) / 0.1) / 0.1).epsilon(1e-12));
}

TEST_CASE("steps that the plan does not make are an objection to an update (I9)") {
  TrainingPlan plan;
  plan.batch_size = 16;
  plan.epochs = 3;
  const auto objection = [&](std::uint32_t examples, std::uint64_t steps) {
    return NormalizedAveraging(plan).objection({examples, steps, 0, 0.0});
  };
  CHECK(objection(32, 6).empty());
  CHECK(objection(33, 6).empty());  // the last example joins the batch before it
  CHECK(objection(33, 9).empty());
  CHECK(objection(5, 3).empty());
  CHECK(objection(32, 7) == "the update says 7 steps, the plan makes 6 on 32 examples");
  CHECK(objection(33, 10) == "the update says 10 steps, the plan makes 6 to 9 on 33 examples");
  CHECK(objection(33, 5) == "the update says 5 steps, the plan makes 6 to 9 on 33 examples");
  CHECK_FALSE(objection(5, 0).empty());
  CHECK_FALSE(objection(5, ~std::uint64_t{0}).empty());
  plan.epochs = 0;
  plan.steps = 40;
  CHECK(objection(5, 40).empty());
  CHECK(objection(5, 41) == "the update says 41 steps, the plan makes 40 on 5 examples");
}

TEST_CASE("FedNova finds the optimum of all devices where FedAvg drifts to those with more steps") {
  // Two devices with the same examples descend on (w − c)²/2 for c of 1 and 5, with 1 and 30 steps: the
  // optimum is 3. FedAvg's fixed point is near 5.
  const auto fixed_point = [](const auto& moved) {
    double model = 0.0;
    for (int rounds = 0; rounds < 2'000; ++rounds) {
      RuledRound round;
      for (const auto& [centre, steps] : {std::pair{1.0, 1}, std::pair{5.0, 30}}) {
        const double left = std::pow(1.0 - 0.001, steps);
        round.add({static_cast<float>((1.0 - left) * (centre - model))},
                  {10, static_cast<std::uint64_t>(steps), 0, 0.0});
      }
      model += moved(round);
    }
    return model;
  };
  const double nova =
      fixed_point([](const RuledRound& round) { return round.apply(NormalizedAveraging(sgd()))[0]; });
  const double average = fixed_point([](const RuledRound& round) {
    return (static_cast<double>(round.deltas[0][0]) + static_cast<double>(round.deltas[1][0])) / 2.0;
  });
  CHECK(std::abs(nova - 3.0) < 0.05);
  CHECK(average > 4.8);
}
