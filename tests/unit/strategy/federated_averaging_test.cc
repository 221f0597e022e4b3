#include "server/strategy/federated_averaging.h"

#include <cmath>
#include <vector>

#include <doctest/doctest.h>

using namespace fl;
using namespace fl::server;

namespace {

void add(ExactFold& fold, const std::vector<float>& delta, std::uint32_t weight) {
  const WeightedDelta update{delta.data(), weight};
  CHECK(fold.add(0, fold.size(), {&update, 1}));
  fold.add_weight(weight);
}

}  // namespace

TEST_CASE("FedAvg moves the model by the mean of the deltas weighted by examples") {
  const double quantum = fold_quantum(2, 100, 16.0);
  ExactFold fold(2, quantum, 16.0F);
  add(fold, {1.0F, -2.0F}, 30);
  add(fold, {5.0F, 2.0F}, 10);
  const std::vector<float> base = {10.0F, 20.0F};
  std::vector<float> next(2);
  FederatedAveraging().step({base, fold.sum(), static_cast<double>(fold.total_weight()), {}, next});
  // (30·1 + 10·5) / 40 = 2 and (30·−2 + 10·2) / 40 = −1, by hand.
  CHECK(next[0] == 12.0F);
  CHECK(next[1] == 19.0F);
  FederatedAveraging(0.5).step({base, fold.sum(), static_cast<double>(fold.total_weight()), {}, next});
  CHECK(next[0] == 11.0F);
  CHECK(next[1] == 19.5F);
}

TEST_CASE("the mean is within half a quantum of the one in long double") {
  constexpr std::uint32_t updates = 20;
  const double quantum = fold_quantum(updates, 1'000, 1.0);
  ExactFold fold(1, quantum, 1.0F);
  long double sum = 0;
  long double weights = 0;
  for (std::uint32_t i = 0; i < updates; ++i) {
    const std::vector<float> delta = {std::sin(static_cast<float>(i))};
    const std::uint32_t weight = 1 + i * 37 % 1'000;
    add(fold, delta, weight);
    sum += static_cast<long double>(weight) * static_cast<long double>(delta[0]);
    weights += weight;
  }
  CHECK(fold.total_weight() == static_cast<std::uint64_t>(weights));
  CHECK(std::abs(static_cast<long double>(fold.sum()[0]) - sum) <=
        updates * static_cast<long double>(quantum) / 2);
}
