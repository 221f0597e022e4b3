#include "server/strategy/federated_averaging.h"

#include <cmath>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "server/strategy/strategy.h"

using namespace fl;
using namespace fl::server;

namespace {

Layout layout_of(std::int64_t elements) {
  Layout layout;
  layout.add("weight", Datatype::fp32, {elements}, Role::trained);
  return layout;
}

}  // namespace

TEST_CASE("FedAvg moves the model by the mean of the deltas weighted by examples") {
  const double quantum = fold_quantum(2, 100, 16.0);
  ExactFold fold(2, quantum);
  fold.add(0, std::vector<float>{1.0F, -2.0F}, 30);
  fold.add_weight(30);
  fold.add(0, std::vector<float>{5.0F, 2.0F}, 10);
  fold.add_weight(10);
  std::vector<float> next(2);
  FederatedAveraging().next_version(layout_of(2), std::vector<float>{10.0F, 20.0F}, fold, next);
  // (30·1 + 10·5) / 40 = 2 and (30·−2 + 10·2) / 40 = −1, by hand.
  CHECK(next[0] == 12.0F);
  CHECK(next[1] == 19.0F);
}

TEST_CASE("the mean is within half a quantum of the one in long double") {
  constexpr std::uint32_t updates = 20;
  const double quantum = fold_quantum(updates, 1'000, 1.0);
  ExactFold fold(1, quantum);
  long double sum = 0;
  long double weights = 0;
  for (std::uint32_t i = 0; i < updates; ++i) {
    const std::vector<float> delta = {std::sin(static_cast<float>(i))};
    const std::uint32_t weight = 1 + i * 37 % 1'000;
    fold.add(0, delta, weight);
    fold.add_weight(weight);
    sum += static_cast<long double>(weight) * static_cast<long double>(delta[0]);
    weights += weight;
  }
  CHECK(fold.total_weight() == static_cast<std::uint64_t>(weights));
  CHECK(std::abs(static_cast<long double>(fold.sum()[0]) - sum) <=
        updates * static_cast<long double>(quantum) / 2);
}

TEST_CASE("a strategy that does not exist is refused by name (I9)") {
  CHECK(make_strategy("fedavg")->weight(7) == 7);
  CHECK_THROWS_WITH_AS(make_strategy("fedsgd"), "strategy 'fedsgd' is unknown; the known strategy is fedavg",
                       Error);
}
