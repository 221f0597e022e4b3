#include "server/strategy/fair_averaging.h"

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "server/strategy/power.h"
#include "tests/unit/strategy/aggregating.h"

using namespace fl;
using namespace fl::server;
using doctest::Approx;
using test::RuledRound;

namespace {

/// Δ_t of Algorithm 2 as it is written, in long double, of a round with deltas of one element.
double as_written(const RuledRound& round, double q, double lipschitz) {
  long double numerator = 0.0L;
  long double denominator = 0.0L;
  for (std::size_t k = 0; k < round.deltas.size(); ++k) {
    const long double examples = round.facts[k].examples;
    const long double loss = round.facts[k].test_loss;
    const long double gradient = -static_cast<long double>(lipschitz) * round.deltas[k][0];
    numerator += examples * std::pow(loss, static_cast<long double>(q)) * gradient;
    denominator += examples * (q * std::pow(loss, q - 1.0L) * gradient * gradient +
                               lipschitz * std::pow(loss, static_cast<long double>(q)));
  }
  return static_cast<double>(-numerator / denominator);
}

RuledRound three_devices() {
  RuledRound round;
  round.add({0.5F}, {30, 1, 5, 0.25});
  round.add({-0.25F}, {10, 1, 5, 2.0});
  round.add({1.5F}, {5, 1, 5, 7.5});
  return round;
}

}  // namespace

TEST_CASE("q-FedAvg of two devices by hand") {
  RuledRound round;
  round.add({1.0F, 0.0F}, {1, 1, 1, 4.0});
  round.add({0.0F, 2.0F}, {1, 1, 1, 1.0});
  // q = 1, L = 1/2: h = 1/4 + 2 and 1 + 1/2, Σ = 15/4; Δ^t = −4·(1/2, 0) and −(0, 1).
  const std::vector<double> delta = round.apply(FairAveraging(1.0, 0.5));
  CHECK(delta[0] == Approx(2.0 / 3.75).epsilon(1e-14));
  CHECK(delta[1] == Approx(1.0 / 3.75).epsilon(1e-14));
}

TEST_CASE("q-FedAvg is as Algorithm 2 writes it for every q") {
  const RuledRound round = three_devices();
  for (const double q : {0.0, 0.001, 0.5, 1.0, 1.7, 5.0, 15.0}) {
    for (const double lipschitz : {0.01, 1.0, 20.0}) {
      CHECK(round.apply(FairAveraging(q, lipschitz))[0] ==
            Approx(as_written(round, q, lipschitz)).epsilon(1e-11));
    }
  }
}

TEST_CASE("with a q of 0 q-FedAvg is FedAvg whatever the losses") {
  RuledRound round = three_devices();
  round.facts[1].test_examples = 0;
  round.facts[1].test_loss = std::numeric_limits<double>::quiet_NaN();
  CHECK(round.apply(FairAveraging(0.0, 20.0))[0] == Approx((15.0 - 2.5 + 7.5) / 45.0).epsilon(1e-14));
}

TEST_CASE("losses at the ends of their range leave the step finite") {
  RuledRound round = three_devices();
  round.facts[0].test_loss = 0.0;
  round.facts[1].test_loss = 1e9;
  for (const double q : {0.001, 1.0, 16.0}) {
    CHECK(std::isfinite(round.apply(FairAveraging(q, 100.0))[0]));
  }
  for (UpdateFacts& facts : round.facts) facts.test_loss = 0.0;
  CHECK(std::isfinite(round.apply(FairAveraging(0.5, 100.0))[0]));
}

TEST_CASE("an update without a loss that can be one is objected to (I9)") {
  const FairAveraging rule(1.0, 1.0);
  CHECK(rule.objection({1, 1, 1, 0.0}).empty());
  CHECK(rule.objection({1, 1, 1, 1e9}).empty());
  CHECK(rule.objection({1, 1, 0, 0.5}).find("without a loss on held-out examples") != std::string::npos);
  for (const double loss : {-0.5, 1.1e9, std::numeric_limits<double>::infinity(), std::nan("")}) {
    CHECK(rule.objection({1, 1, 1, loss}).find("it must be from 0 to 1e9") != std::string::npos);
  }
  CHECK(FairAveraging(0.0, 1.0).objection({1, 1, 0, 0.0}).empty());
}

TEST_CASE("the larger q the more alike are the devices' losses") {
  // Three devices step on (w − c)²/2 + 0.01 with a rate of 0.1, for c of 0, 0 and 3. FedAvg goes to their
  // mean, 1.
  const auto model_with = [](double q) {
    double model = 2.0;
    for (int rounds = 0; rounds < 3'000; ++rounds) {
      RuledRound round;
      for (const double centre : {0.0, 0.0, 3.0}) {
        const double loss = (model - centre) * (model - centre) / 2.0 + 0.01;
        round.add({static_cast<float>(0.1 * (centre - model))}, {10, 1, 5, loss});
      }
      model += round.apply(FairAveraging(q, 10.0))[0];
    }
    return model;
  };
  CHECK(model_with(0.0) == Approx(1.0).epsilon(1e-3));
  // Where Σ F^q·F' is 0: for q = 1 and without the 0.01, 2w³ = (3 − w)³.
  CHECK(model_with(1.0) == Approx(3.0 / (1.0 + std::cbrt(2.0))).epsilon(5e-3));
  CHECK(std::abs(model_with(8.0) - 1.5) < std::abs(model_with(1.0) - 1.5));
}

TEST_CASE("powers by multiplications and roots are those of the library") {
  for (const double base : {1e-19, 0.3, 0.999, 1.0, 7.5}) {
    for (const double exponent : {-0.999, -0.5, 0.0, 0.001, 0.5, 1.0, 2.75, 15.0}) {
      CHECK(power(base, exponent) == Approx(std::pow(base, exponent)).epsilon(1e-13));
    }
  }
  CHECK(power(2.0, 10.0) == 1024.0);
  CHECK(power(9.0, -0.5) == 1.0 / 3.0);
  CHECK(power(0.5, 1e8) == 0.0);
}
