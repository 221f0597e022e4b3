#include "server/strategy/exact_fold.h"

#include <cfenv>
#include <cmath>
#include <cstring>
#include <limits>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "tests/unit/strategy/hard_updates.h"

using namespace fl;
using namespace fl::server;
using test::hard_updates;
using test::HardUpdate;

namespace {

__extension__ using Integer = __int128;

constexpr float no_bound = std::numeric_limits<float>::max();

/// With so many updates in one call.
ExactFold fold_of(const std::vector<HardUpdate>& updates, double quantum, std::size_t at_once = 1) {
  ExactFold fold(updates.front().delta.size(), quantum, no_bound);
  std::vector<WeightedDelta> deltas;
  for (const HardUpdate& update : updates) {
    deltas.push_back({update.delta.data(), update.weight});
    fold.add_weight(update.weight);
    if (deltas.size() < at_once && &update != &updates.back()) continue;
    CHECK(fold.add(0, fold.size(), deltas));
    deltas.clear();
  }
  return fold;
}

bool same_bits(std::span<const double> a, std::span<const double> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// weight · value in units of the quantum, rounded half to even, by integers only.
Integer in_quanta(std::uint32_t weight, float value, double quantum) {
  int value_exponent = 0;
  const float fraction = std::frexp(value, &value_exponent);
  Integer mantissa = static_cast<Integer>(std::ldexp(static_cast<double>(fraction), 24)) * weight;
  int shift = value_exponent - 24 - std::ilogb(quantum);
  if (shift >= 0) return mantissa << shift;
  if (shift < -100) return 0;
  const bool negative = mantissa < 0;
  if (negative) mantissa = -mantissa;
  const Integer whole = mantissa >> -shift;
  const Integer rest = mantissa - (whole << -shift);
  const Integer half = static_cast<Integer>(1) << (-shift - 1);
  const Integer rounded = whole + (rest > half || (rest == half && whole % 2 != 0) ? 1 : 0);
  return negative ? -rounded : rounded;
}

}  // namespace

TEST_CASE("the fold equals the exact sum of the rounded terms computed with integers") {
  const std::vector<HardUpdate> updates = hard_updates(50, 200, 16.0F, 10'000);
  const double quantum = fold_quantum(50, 10'000, 16.0);
  const ExactFold fold = fold_of(updates, quantum);
  for (std::size_t i = 0; i < fold.size(); ++i) {
    Integer sum = 0;
    for (const HardUpdate& update : updates) sum += in_quanta(update.weight, update.delta[i], quantum);
    CHECK(fold.sum()[i] == static_cast<double>(static_cast<long long>(sum)) * quantum);
  }
}

TEST_CASE("up to the largest weight a plan allows, terms are exact before they are rounded") {
  constexpr std::uint32_t largest = 1U << 29U;
  for (const std::uint32_t weight : {largest, largest - 1}) {
    std::vector<HardUpdate> updates = hard_updates(20, 200, 16.0F, 1);
    for (HardUpdate& update : updates) update.weight = weight;
    const double quantum = fold_quantum(20, largest, 16.0);
    const ExactFold fold = fold_of(updates, quantum);
    for (std::size_t i = 0; i < fold.size(); ++i) {
      Integer sum = 0;
      for (const HardUpdate& update : updates) sum += in_quanta(weight, update.delta[i], quantum);
      CHECK(fold.sum()[i] == static_cast<double>(static_cast<long long>(sum)) * quantum);
    }
  }
}

TEST_CASE("any order of updates gives the same bits where a float sum differs (I4)") {
  std::vector<HardUpdate> updates = hard_updates(40, 500, 16.0F, 10'000);
  const double quantum = fold_quantum(40, 10'000, 16.0);
  const ExactFold first = fold_of(updates, quantum);
  bool float_sums_differ = false;
  std::vector<float> first_float_sum;
  Random random(5);
  for (int order = 0; order < 100; ++order) {
    random.shuffle(updates);
    CHECK(same_bits(fold_of(updates, quantum).sum(), first.sum()));
    std::vector<float> float_sum(500);
    for (const HardUpdate& update : updates) {
      for (std::size_t i = 0; i < 500; ++i)
        float_sum[i] += static_cast<float>(update.weight) * update.delta[i];
    }
    if (order == 0) first_float_sum = float_sum;
    float_sums_differ = float_sums_differ || float_sum != first_float_sum;
  }
  CHECK(float_sums_differ);
}

TEST_CASE("updates added in pieces of any size give the same bits (I4)") {
  const std::vector<HardUpdate> updates = hard_updates(6, 1'000, 4.0F, 100);
  const double quantum = fold_quantum(6, 100, 4.0);
  ExactFold pieces(1'000, quantum, no_bound);
  Random random(9);
  for (const HardUpdate& update : updates) {
    for (std::size_t first = 0; first < 1'000;) {
      const std::size_t length = std::min<std::size_t>(1 + random.below(300), 1'000 - first);
      const WeightedDelta piece{update.delta.data() + first, update.weight};
      CHECK(pieces.add(first, length, {&piece, 1}));
      first += length;
    }
  }
  CHECK(same_bits(pieces.sum(), fold_of(updates, quantum).sum()));
}

TEST_CASE("any number of updates in a pass gives the same bits (I4)") {
  const std::vector<HardUpdate> updates = hard_updates(37, 1'003, 16.0F, 10'000);
  const double quantum = fold_quantum(37, 10'000, 16.0);
  const ExactFold one_by_one = fold_of(updates, quantum);
  for (std::size_t at_once = 2; at_once <= 2 * widest_pass + 1; ++at_once) {
    CHECK(same_bits(fold_of(updates, quantum, at_once).sum(), one_by_one.sum()));
  }
}

TEST_CASE("every kind of vector that this processor has gives the same bits (I4)") {
  const std::vector<HardUpdate> updates = hard_updates(8, 1'003, 16.0F, 10'000);
  const double quantum = fold_quantum(8, 10'000, 16.0);
  const double rounder = 0x1.8p52 * quantum;
  std::vector<WeightedDelta> deltas;
  for (const HardUpdate& update : updates) deltas.push_back({update.delta.data(), update.weight});
  for (std::size_t count = 1; count <= widest_pass; ++count) {
    const std::vector<double> start(1'003, 3.0 * quantum);
    std::vector<double> expected = start;
    const std::uint32_t largest =
        fold_pass(expected.data(), 1'003, deltas.data(), count, rounder, VectorUnit::baseline);
    for (const VectorUnit unit : {VectorUnit::avx2, VectorUnit::avx512}) {
      if (unit > best_vector_unit()) continue;
      std::vector<double> sum = start;
      CHECK(fold_pass(sum.data(), 1'003, deltas.data(), count, rounder, unit) == largest);
      CHECK(same_bits(sum, expected));
    }
  }
}

TEST_CASE("an element that no update may hold is noticed wherever it stands") {
  constexpr std::size_t elements = 67;  // with a remainder for every width of vector
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const float slightly_more = std::nextafter(2.0F, 3.0F);
  for (const float wrong :
       {slightly_more, -slightly_more, infinity, -infinity, std::nanf(""), -std::nanf("")}) {
    for (std::size_t at = 0; at < elements; ++at) {
      std::vector<std::vector<float>> values(3, std::vector<float>(elements, -2.0F));
      const std::vector<WeightedDelta> deltas{
          {values[0].data(), 1}, {values[1].data(), 2}, {values[2].data(), 3}};
      ExactFold fold(elements, fold_quantum(4, 3, 2.0), 2.0F);
      REQUIRE(fold.add(0, elements, deltas));
      values[at % 3][at] = wrong;
      REQUIRE_FALSE(fold.add(0, elements, deltas));
      REQUIRE(fold.add(0, at, deltas));
      std::vector<WeightedDelta> after = deltas;
      for (WeightedDelta& delta : after) delta.values += at + 1;
      REQUIRE(fold.add(at + 1, elements - at - 1, after));
    }
  }
  const WeightedDelta infinite{&infinity, 1};
  CHECK_FALSE(ExactFold(1, 1.0, infinity).add(0, 1, {&infinite, 1}));
}

TEST_CASE("the largest allowed updates do not leave the exact range") {
  constexpr std::uint32_t updates = 1'000;
  constexpr std::uint32_t weight = 1U << 20U;
  const double quantum = fold_quantum(updates, weight, 16.0);
  ExactFold fold(1, quantum, 16.0F);
  const float largest = 16.0F;
  const std::vector<WeightedDelta> deltas(updates, {&largest, weight});
  CHECK(fold.add(0, 1, deltas));
  CHECK(fold.sum()[0] == 16.0 * weight * updates);
  CHECK(fold.sum()[0] <= 0x1p53 * quantum);
}

TEST_CASE("the quantum is the smallest power of two that has room for the sum") {
  for (const std::uint32_t updates : {1U, 4U, 7U, 64U, 1'000U}) {
    for (const double bound : {1.0, 16.0, 3.0}) {
      const double quantum = fold_quantum(updates, 10'000, bound);
      int exponent = 0;
      CHECK(std::frexp(quantum, &exponent) == 0.5);
      const double largest = std::max(updates, 4U) * 10'000.0 * bound;
      CHECK(largest < 0x1p53 * quantum);
      CHECK(largest * (1.0 + 0x1p-20) > 0x1p52 * quantum);
    }
  }
}

TEST_CASE("a plan's resolution grows with what its updates may hold") {
  RoundPlan plan;
  plan.goal = 13;
  CHECK(mean_resolution(plan) < coarsest_resolution);
  plan.goal = 100'000;
  plan.max_examples = 1'000'000;
  CHECK(mean_resolution(plan) > coarsest_resolution);
}

TEST_CASE("examples do not coarsen an asynchronous task's resolution in which they do not weigh") {
  RoundPlan plan;
  const double weighed = mean_resolution(plan);
  plan.server_max_staleness = 2;
  CHECK(mean_resolution(plan) * 8'192.0 == weighed);  // for 10,000 examples
}

TEST_CASE("a plan's resolution is that of the bound that devices are told, which is a float") {
  RoundPlan plan;
  plan.max_examples = 9;
  plan.max_delta = 1.7777760823583875;  // the last double for which the sum has room; as a float it is more
  const auto bound = static_cast<float>(plan.max_delta);
  CHECK(mean_resolution(plan) == fold_quantum(plan.goal, plan.max_examples, bound) / 2.0);
  CHECK(mean_resolution(plan) == fold_quantum(plan.goal, plan.max_examples, plan.max_delta));
  plan.max_delta = 1e-30;
  CHECK(mean_resolution(plan) > 0.0);
}
