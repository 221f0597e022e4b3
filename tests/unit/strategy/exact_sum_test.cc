#include "tests/unit/strategy/exact_sum.h"

#include <doctest/doctest.h>

#include "server/strategy/exact_fold.h"
#include "tests/unit/strategy/hard_updates.h"

using namespace fl;
using namespace fl::server;
using test::ExactSum;
using test::hard_updates;
using test::HardUpdate;

namespace {

ExactFold fold_of(const std::vector<HardUpdate>& updates, double quantum, float bound) {
  ExactFold fold(updates.front().delta.size(), quantum, bound);
  std::vector<WeightedDelta> deltas;
  for (const HardUpdate& update : updates) deltas.push_back({update.delta.data(), update.weight});
  CHECK(fold.add(0, fold.size(), deltas));
  return fold;
}

ExactSum exact_sum(const std::vector<HardUpdate>& updates, std::size_t element) {
  ExactSum sum;
  for (const HardUpdate& update : updates) sum.add(update.delta[element], update.weight);
  return sum;
}

}  // namespace

TEST_CASE("the oracle of these tests adds without rounding") {
  ExactSum sum;
  CHECK(sum.sign() == 0);
  for (const double value : {0x1p300, 1.0, 0x1p-300, -0x1p300}) sum.add(value);
  CHECK_FALSE(sum.is(1.0));
  CHECK(sum.is(1.0, 0x1p-300));
  sum.add(-0x1p-300);
  CHECK(sum.is(1.0));
  sum.add(0.1, -10);  // 0.1 in double is more than a tenth
  CHECK(sum.sign() == -1);
  CHECK(sum.is(-0x1p-54));
  sum.add(0x1p-54);
  CHECK(sum.sign() == 0);
  sum.add(-0x1.fffffep40, 1'000'000);
  CHECK(sum.is(-0x1.fffffep40 * 1'000'000));
}

TEST_CASE("at both ends of every range a plan allows the fold is the exact sum to half a quantum an update") {
  for (const float bound : {1e-30F, 0.01F, 16.0F, 1e6F}) {
    for (const std::uint32_t max_weight : {1U, 10'000U, 1U << 29U}) {
      for (const std::uint32_t count : {1U, 4U, 33U}) {
        const std::vector<HardUpdate> updates = hard_updates(count, 300, bound, max_weight, count);
        const double quantum = fold_quantum(count, max_weight, bound);
        const ExactFold fold = fold_of(updates, quantum, bound);
        for (std::size_t i = 0; i < fold.size(); ++i) {
          REQUIRE(exact_sum(updates, i).is(fold.sum()[i], quantum / 2, count));
        }
      }
    }
  }
}

TEST_CASE("updates that hold multiples of the quantum are folded to their exact sum") {
  const double quantum = fold_quantum(40, 10'000, 16.0);
  std::vector<HardUpdate> updates = hard_updates(40, 300, 16.0F, 10'000);
  for (HardUpdate& update : updates) {
    for (float& value : update.delta) {
      if (std::fmod(static_cast<double>(value), quantum) != 0.0) value = static_cast<float>(quantum);
    }
  }
  const ExactFold fold = fold_of(updates, quantum, 16.0F);
  std::size_t plain_sums_wrong = 0;
  for (std::size_t i = 0; i < fold.size(); ++i) {
    const ExactSum exact = exact_sum(updates, i);
    REQUIRE(exact.is(fold.sum()[i]));
    float plain = 0.0F;
    for (const HardUpdate& update : updates) plain += static_cast<float>(update.weight) * update.delta[i];
    if (!exact.is(plain)) ++plain_sums_wrong;
  }
  CHECK(plain_sums_wrong > 200);
}
