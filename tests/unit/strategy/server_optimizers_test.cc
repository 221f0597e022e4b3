#include <cmath>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "server/strategy/adaptive_optimizer.h"
#include "server/strategy/server_momentum.h"

using namespace fl;
using namespace fl::server;
using doctest::Approx;

namespace {

/// A model of one element and what the strategy carries along.
class Model {
 public:
  Model(const Strategy& strategy, float start) : strategy_(strategy), weights_{start} {
    for (std::size_t i = 0; i < strategy.state_vectors(); ++i) state_.at(i) = {strategy.initial_state(i)};
  }

  /// A round whose mean delta is this.
  float move(double mean) {
    constexpr double weight = 8.0;
    const std::vector<double> sum = {mean * weight};
    std::vector<float> next(1);
    ElementRange range{weights_, sum, weight, {}, next};
    for (std::size_t i = 0; i < strategy_.state_vectors(); ++i) range.state.at(i) = state_.at(i);
    strategy_.step(range);
    weights_ = next;
    return weights_[0];
  }
  float weight() const { return weights_[0]; }

 private:
  const Strategy& strategy_;
  std::vector<float> weights_;
  std::array<std::vector<float>, most_state_vectors> state_;
};

/// How far a model is from the optimum after so many rounds in which two devices of the same weight each take
/// one step of gradient descent on (w − c)²/2, for c of 1 and 5: the optimum is 3.
double distance_after(const Strategy& strategy, int rounds) {
  Model model(strategy, 0.0F);
  for (int round = 0; round < rounds; ++round) {
    const double w = model.weight();
    model.move((-0.1 * (w - 1.0) + -0.1 * (w - 5.0)) / 2.0);
  }
  return std::abs(static_cast<double>(model.weight()) - 3.0);
}

}  // namespace

TEST_CASE("FedAvgM carries half of its last step on") {
  const ServerMomentum strategy(2.0, 0.5);
  Model model(strategy, 10.0F);
  CHECK(model.move(1.0) == 12.0F);    // m = 1
  CHECK(model.move(2.0) == 17.0F);    // m = 1/2 + 2
  CHECK(model.move(-1.25) == 17.0F);  // m = 5/4 − 5/4
}

TEST_CASE("FedAdagrad divides by the root of the sum of squares") {
  const AdaptiveOptimizer strategy(SecondMoment::adagrad, {1.0, 0.0, 0.0, 0.75});
  Model model(strategy, 0.0F);
  CHECK(model.move(1.0) == 0.5F);          // v = 0.75² + 1 = 1.25²; 1 / (1.25 + 0.75)
  CHECK(model.move(3.0) == 0.5F + 0.75F);  // v = 1.25² + 9 = 3.25²; 3 / (3.25 + 0.75)
}

TEST_CASE("FedAdam decays both moments") {
  const AdaptiveOptimizer strategy(SecondMoment::adam, {1.0, 0.5, 0.75, 1.0});
  Model model(strategy, 0.0F);
  // v = 0.75 + 0.25 · 2.75² = 1.625², m = 1.375
  CHECK(model.move(2.75) == Approx(1.375 / 2.625).epsilon(1e-6));
  // v = 0.75 · 1.625² + 0.25 · 1.890625² = 1.6953125², m = 1.6328125
  CHECK(model.move(1.890625) == Approx(1.375 / 2.625 + 1.6328125 / 2.6953125).epsilon(1e-6));
}

TEST_CASE("FedYogi's second moment shrinks and grows by the square of the delta alone") {
  const AdaptiveOptimizer strategy(SecondMoment::yogi, {2.0, 0.0, 0.75, 1.0});
  Model model(strategy, 1.0F);
  // Smaller than v: v = 1 − 0.25 · 0.56² = 0.96²
  CHECK(model.move(0.56) == Approx(1.0 + 2.0 * 0.56 / 1.96).epsilon(1e-6));
  // Larger: v = 0.96² + 0.25 · 1.44² = 1.2²
  CHECK(model.move(1.44) == Approx(1.0 + 2.0 * 0.56 / 1.96 + 2.0 * 1.44 / 2.2).epsilon(1e-6));
}

TEST_CASE("every server optimiser finds the optimum of a convex problem") {
  CHECK(distance_after(ServerMomentum(1.0, 0.9), 300) < 1e-3);
  CHECK(distance_after(AdaptiveOptimizer(SecondMoment::adam, {}), 1'000) < 1e-2);
  CHECK(distance_after(AdaptiveOptimizer(SecondMoment::yogi, {}), 1'000) < 1e-2);
  CHECK(distance_after(AdaptiveOptimizer(SecondMoment::adagrad, {0.5, 0.0, 0.0, 1e-3}), 1'000) < 1e-2);
}

TEST_CASE("an element that no device moves stays where it is") {
  for (const SecondMoment kind : {SecondMoment::adam, SecondMoment::yogi, SecondMoment::adagrad}) {
    const AdaptiveOptimizer strategy(kind, {});
    Model model(strategy, 1.5F);
    for (int round = 0; round < 100; ++round) model.move(0.0);
    CHECK(model.weight() == 1.5F);
  }
}
