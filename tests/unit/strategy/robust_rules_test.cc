#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "server/strategy/geometric_median.h"
#include "server/strategy/krum.h"
#include "server/strategy/norm_bound.h"
#include "server/strategy/trimmed_mean.h"
#include "tests/unit/strategy/aggregating.h"

using namespace fl;
using namespace fl::server;
using doctest::Approx;
using test::RuledRound;

namespace {

double distance(const std::vector<double>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

std::vector<float> random_delta(Random& random, std::size_t elements) {
  std::vector<float> delta(elements);
  for (float& value : delta) value = static_cast<float>(random.uniform() - 0.5);
  return delta;
}

RuledRound random_round(std::size_t updates, std::size_t elements) {
  Random random(updates);
  RuledRound round;
  for (std::size_t i = 0; i < updates; ++i) {
    round.add(random_delta(random, elements), {static_cast<std::uint32_t>(1 + random.below(100)), 1, 1, 1.0});
  }
  return round;
}

}  // namespace

TEST_CASE("the median of an odd number of updates is the one in the middle whatever their examples") {
  RuledRound round;
  round.add({1.0F, -5.0F, 0.5F}, {1'000, 1, 1, 1.0});
  round.add({2.0F, 7.0F, 0.5F});
  round.add({1000.0F, 1.0F, 0.25F});
  CHECK(round.apply(TrimmedMean(trim_to_median)) == std::vector<double>{2.0, 1.0, 0.5});
}

TEST_CASE("the median of an even number of updates is the mean of the two in the middle") {
  RuledRound round;
  for (const float value : {8.0F, -1000.0F, 1.0F, 3.0F}) round.add({value});
  CHECK(round.apply(TrimmedMean(trim_to_median)) == std::vector<double>{2.0});
  RuledRound two;
  for (const float value : {8.0F, 1.0F}) two.add({value});
  CHECK(two.apply(TrimmedMean(trim_to_median)) == std::vector<double>{4.5});
}

TEST_CASE("the trimmed mean leaves out as many of the largest as of the smallest") {
  RuledRound round;
  for (const float value : {8.0F, -1000.0F, 1.0F, 3.0F, 1000.0F}) round.add({value, -value});
  CHECK(round.apply(TrimmedMean(0.2)) == std::vector<double>{4.0, -4.0});        // (8 + 1 + 3) / 3
  CHECK(round.apply(TrimmedMean(0.39)) == std::vector<double>{4.0, -4.0});       // one still
  CHECK(round.apply(TrimmedMean(0.4)) == std::vector<double>{3.0, -3.0});        // two: the median
  CHECK(round.apply(TrimmedMean(0.1))[0] == Approx(12.0 / 5.0).epsilon(1e-12));  // none
  CHECK(TrimmedMean(0.29).cut(100) == 29);
  CHECK(TrimmedMean(0.1).cut(10) == 1);
  CHECK(TrimmedMean(0.1).cut(9) == 0);
  CHECK(TrimmedMean(0.49999999999).cut(2) == 0);
}

TEST_CASE("the trimmed mean equals one of sorted values in long double") {
  const RuledRound round = random_round(23, 300);
  const std::vector<double> delta = round.apply(TrimmedMean(0.25));
  for (std::size_t i = 0; i < delta.size(); ++i) {
    std::vector<float> values;
    for (const auto& update : round.deltas) values.push_back(update[i]);
    std::sort(values.begin(), values.end());
    const long double sum = std::accumulate(values.begin() + 5, values.end() - 5, 0.0L);
    REQUIRE(delta[i] == Approx(static_cast<double>(sum / 13)).epsilon(1e-10));
  }
}

TEST_CASE("an update beyond the bound is scaled down to it and one within is left as it is") {
  RuledRound round;
  round.add({3.0F, 4.0F}, {1, 1, 1, 1.0});   // a norm of 5, scaled by 1/2
  round.add({0.0F, -1.5F}, {3, 1, 1, 1.0});  // within
  CHECK(round.apply(NormBound(2.5)) == std::vector<double>{1.5 / 4.0, (2.0 - 4.5) / 4.0});
  CHECK(round.apply(NormBound(5.0)) == std::vector<double>{3.0 / 4.0, (4.0 - 4.5) / 4.0});
}

TEST_CASE("the norm is that of all elements, in whatever blocks they are added") {
  RuledRound round;
  round.add(std::vector<float>(10'000, 0.25F));  // a norm of 25
  CHECK(round.apply(NormBound(5.0), 3)[9'999] == 0.05);
}

TEST_CASE("Krum takes the update whose neighbours are nearest") {
  RuledRound round;  // f = 1 of 5: scores are sums of the 2 smallest squared distances
  for (const float value : {0.0F, 2.0F, 3.0F, 5.0F, 100.0F}) round.add({value}, {1'000, 1, 1, 1.0});
  // 4 + 9, 1 + 4, 1 + 4, 4 + 9 and the attacker's; of the two fives the first in order.
  CHECK(round.apply(Krum(1, 1)) == std::vector<double>{2.0});
  CHECK(round.apply(Krum(1, 2)) == std::vector<double>{2.5});
  CHECK(round.apply(Krum(1, 4)) == std::vector<double>{2.5});  // all but the attacker
}

TEST_CASE("Krum's distances are those of all elements") {
  RuledRound round = random_round(9, 700);
  for (std::size_t i = 0; i < 4; ++i) {  // four that differ from one another only in their last elements
    round.deltas[i] = round.deltas[4];
    round.deltas[i][699] += 0.125F * static_cast<float>(i + 1);
  }
  // Scores of f = 3 are sums of 4: of updates 0 to 4 the one in the middle has the nearest neighbours.
  CHECK(distance(round.apply(Krum(3, 1)), round.deltas[1]) == 0.0);
}

TEST_CASE("the geometric median of points on a line is their median and of a square's corners its centre") {
  RuledRound line;
  for (const float value : {1.0F, 2.0F, 50.0F}) line.add({value, 2.0F * value});
  const std::vector<double> middle = line.apply(GeometricMedian(60, 1e-9));
  CHECK(middle[0] == Approx(2.0).epsilon(1e-6));
  CHECK(middle[1] == Approx(4.0).epsilon(1e-6));
  RuledRound square;
  for (const float x : {1.0F, 5.0F}) {
    for (const float y : {1.0F, 5.0F}) square.add({x, y});
  }
  const std::vector<double> centre = square.apply(GeometricMedian(100, 1e-6));
  CHECK(centre[0] == Approx(3.0).epsilon(1e-9));
  CHECK(centre[1] == Approx(3.0).epsilon(1e-9));
}

TEST_CASE("the geometric median of a triangle is the point that sees its sides under 120 degrees") {
  RuledRound triangle;  // with sides that are equal: the Fermat point is at (0, 1/√3)
  triangle.add({-1.0F, 0.0F});
  triangle.add({1.0F, 0.0F});
  triangle.add({0.0F, 3.0F});
  const std::vector<double> point = triangle.apply(GeometricMedian(100, 1e-9));
  CHECK(std::abs(point[0]) < 1e-9);
  CHECK(point[1] == Approx(1.0 / std::sqrt(3.0)).epsilon(1e-6));
}

TEST_CASE(
    "the first step of Weiszfeld's algorithm weighs by the norm and the next by the distance from there") {
  RuledRound round;
  for (const float value : {1.0F, 3.0F, 9.0F}) round.add({value}, {1'000, 1, 1, 1.0});
  // Weights of 1, 1/3 and 1/9: 3 / (13/9).
  CHECK(round.apply(GeometricMedian(1, 1e-6))[0] == Approx(27.0 / 13.0).epsilon(1e-12));
  // A distance of 1 counts as 2: (1/2 + 1 + 1) / (17/18).
  CHECK(round.apply(GeometricMedian(1, 2.0))[0] == Approx(45.0 / 17.0).epsilon(1e-12));
  // From 27/13 the distances are 14/13, 12/13 and 90/13: (1/14 + 3/12 + 9/90) / (1/14 + 1/12 + 1/90).
  CHECK(round.apply(GeometricMedian(2, 1e-6))[0] ==
        Approx((1.0 / 14 + 1.0 / 4 + 1.0 / 10) / (1.0 / 14 + 1.0 / 12 + 1.0 / 90)).epsilon(1e-12));
}

TEST_CASE("every rule gives the same bits however the elements are cut (I4)") {
  const RuledRound round = random_round(11, 2'700);
  const auto check = [&](const AggregationRule& rule) {
    const std::vector<double> whole = round.apply(rule, 100);
    for (const std::size_t blocks : {1UL, 2UL, 3UL, 7UL}) CHECK(round.apply(rule, blocks) == whole);
  };
  check(TrimmedMean(trim_to_median));
  check(TrimmedMean(0.2));
  check(NormBound(3.0));
  check(Krum(3, 1));
  check(Krum(3, 4));
  check(GeometricMedian(4, 1e-6));
}

TEST_CASE("sums of totals are free of order to the bit and as fine as doubles") {
  Random random(3);
  std::vector<double> terms(1'000);
  for (double& term : terms) term = std::ldexp(random.uniform(), -static_cast<int>(random.below(60)));
  const double expected = [&] {
    ExactTotals totals(1, 1'000.0);
    for (const double term : terms) totals.add(0, term);
    return totals.value(0);
  }();
  long double sum = 0.0L;
  for (const double term : terms) sum += term;
  CHECK(expected == Approx(static_cast<double>(sum)).epsilon(1e-15));
  for (int order = 0; order < 20; ++order) {
    random.shuffle(terms);
    ExactTotals totals(1, 1'000.0);
    ExactTotals half(1, 1'000.0);
    for (std::size_t i = 0; i < terms.size(); ++i) (i % 3 == 0 ? half : totals).add(0, terms[i]);
    totals.add(half);
    CHECK(totals.value(0) == expected);
  }
}

namespace {

/// Devices that each take a step of gradient descent on ‖w − c_k‖²/2 in three dimensions, with c_k around (1,
/// 2, −1); some attack. Gives how far the model is from the centre of the honest after 60 rounds.
class Descent {
 public:
  using Attack = std::vector<float> (*)(const std::vector<float>& honest);

  static double distance_after(const AggregationRule& rule, std::size_t honest, std::size_t attackers,
                               Attack attack) {
    const std::vector<double> optimum = {1.0, 2.0, -1.0};
    std::vector<double> model(3, 0.0);
    for (int step = 0; step < 60; ++step) {
      RuledRound round;
      round.max_delta = 1e6F;
      for (std::size_t device = 0; device < honest + attackers; ++device) {
        std::vector<float> delta;
        for (std::size_t i = 0; i < 3; ++i) {
          const double own = 0.05 * std::sin(static_cast<double>(3 * device + i));
          delta.push_back(static_cast<float>(-0.2 * (model[i] - optimum[i] - own)));
        }
        round.add(device < honest ? delta : attack(delta));
      }
      const std::vector<double> moved = round.apply(rule);
      for (std::size_t i = 0; i < 3; ++i) model[i] += moved[i];
    }
    double sum = 0.0;
    for (std::size_t i = 0; i < 3; ++i) sum += (model[i] - optimum[i]) * (model[i] - optimum[i]);
    return std::sqrt(sum);
  }
};

std::vector<float> nothing(const std::vector<float>& honest) {
  return honest;
}
std::vector<float> flip(const std::vector<float>& honest) {
  std::vector<float> delta = honest;
  for (float& value : delta) value = -4.0F * value;
  return delta;
}
std::vector<float> overshoot(const std::vector<float>& /*honest*/) {
  return {1e5F, 1e5F, 1e5F};
}

/// A control.
TrimmedMean mean_of_all() {
  return TrimmedMean(0.0);
}

struct RobustRule {
  std::string name;
  std::unique_ptr<AggregationRule> rule;
  std::size_t withstands;  ///< Attackers among nine.
};

std::vector<RobustRule> robust_rules() {
  std::vector<RobustRule> rules;
  rules.push_back({"median", std::make_unique<TrimmedMean>(trim_to_median), 4});
  rules.push_back({"trimmed mean", std::make_unique<TrimmedMean>(0.34), 3});
  rules.push_back({"krum", std::make_unique<Krum>(3, 1), 3});
  rules.push_back({"multi-krum", std::make_unique<Krum>(3, 4), 3});
  rules.push_back({"geometric median", std::make_unique<GeometricMedian>(10, 1e-6), 4});
  return rules;
}

}  // namespace

TEST_CASE("without an attacker every robust rule finds the optimum") {
  for (const RobustRule& each : robust_rules()) {
    CAPTURE(each.name);
    CHECK(Descent::distance_after(*each.rule, 9, 0, nothing) < 0.1);
  }
  CHECK(Descent::distance_after(NormBound(1.0), 9, 0, nothing) < 0.1);
}

TEST_CASE("every robust rule withstands as many attackers as it is made for and fails beyond") {
  for (const auto attack : {flip, overshoot}) {
    CHECK(!(Descent::distance_after(mean_of_all(), 6, 3, attack) < 1.0));
    for (const RobustRule& each : robust_rules()) {
      CAPTURE(each.name);
      for (std::size_t attackers = 1; attackers <= each.withstands; ++attackers) {
        CAPTURE(attackers);
        CHECK(Descent::distance_after(*each.rule, 9 - attackers, attackers, attack) < 0.15);
      }
      CHECK(!(Descent::distance_after(*each.rule, 4, 5, attack) < 1.0));
    }
  }
}

TEST_CASE("a norm bound limits what a scaling attacker does where the mean goes astray") {
  CHECK(Descent::distance_after(mean_of_all(), 8, 1, overshoot) > 1'000.0);
  const double bounded = Descent::distance_after(NormBound(0.1), 8, 1, overshoot);
  CHECK(bounded < 0.3);
  CHECK(Descent::distance_after(NormBound(0.1), 4, 5, overshoot) > 1.0);
}
