#include "server/strategy/buffered_averaging.h"

#include <cmath>
#include <deque>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/strategy/refusal.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;
using doctest::Approx;

namespace {

/// A buffer of updates in memory, and the version that is made of it.
class Buffer {
 public:
  Buffer(const Strategy& strategy, std::uint32_t updates, std::size_t elements)
      : strategy_(strategy), fold_(elements, fold_quantum(updates, strategy.weight(1), 16.0), 16.0F) {}

  void add(const std::vector<float>& delta, std::uint64_t staleness, std::uint32_t examples = 10) {
    const WeightedDelta update{delta.data(), strategy_.stale_weight(examples, staleness)};
    CHECK(fold_.add(0, fold_.size(), {&update, 1}));
    fold_.add_weight(update.weight);
  }

  std::vector<float> next(const std::vector<float>& base, std::size_t trained) const {
    std::vector<float> next(base.size());
    next_elements(strategy_, trained, 0,
                  {base, fold_.sum(), static_cast<double>(fold_.total_weight()), {}, next});
    return next;
  }

 private:
  const Strategy& strategy_;
  ExactFold fold_;
};

Plan fedbuff_plan() {
  Plan plan;
  plan.round.strategy = "fedbuff";
  plan.round.over_selection = 1;
  plan.round.goal = plan.round.minimum = 3;
  plan.round.server_max_staleness = 4;
  return plan;
}

}  // namespace

TEST_CASE("FedBuff adds the updates scaled down by their staleness and divides by how many they are") {
  const BufferedAveraging strategy(1.0, 4);
  Buffer buffer(strategy, 4, 2);
  buffer.add({1.0F, -2.0F}, 0);
  buffer.add({4.0F, 8.0F}, 3);    // counts half
  buffer.add({3.0F, 0.0F}, 8);    // a third
  buffer.add({4.0F, -4.0F}, 15);  // a quarter
  // (1 + 2 + 1 + 1) / 4 and (−2 + 4 + 0 − 1) / 4, by hand.
  const std::vector<float> next = buffer.next({10.0F, 20.0F}, 2);
  CHECK(next[0] == Approx(11.25).epsilon(1e-7));
  CHECK(next[1] == Approx(20.25).epsilon(1e-7));
}

TEST_CASE("without staleness FedBuff is the plain mean whatever the examples and has a rate of the server") {
  const BufferedAveraging half(0.5, 2);
  Buffer buffer(half, 2, 1);
  buffer.add({1.0F}, 0, 1);
  buffer.add({5.0F}, 0, 10'000);
  CHECK(buffer.next({0.0F}, 1) == std::vector<float>{1.5F});
}

TEST_CASE("an update counts for the inverse root of one and its staleness and never for nothing") {
  const BufferedAveraging strategy(1.0, 2);
  CHECK(strategy.stale_weight(10, 0) == strategy.weight(10));
  CHECK(strategy.stale_weight(10, 3) == strategy.weight(10) / 2);
  for (std::uint64_t staleness = 1; staleness < 1'000; ++staleness) {
    const double share = static_cast<double>(strategy.stale_weight(1, staleness)) / strategy.weight(1);
    CHECK(share == Approx(1.0 / std::sqrt(1.0 + static_cast<double>(staleness))).epsilon(1e-5));
    CHECK(strategy.stale_weight(1, staleness) < strategy.stale_weight(1, staleness - 1));
  }
  CHECK(strategy.stale_weight(1, 1'000'000) > 1'000);
}

TEST_CASE("buffers are averaged with the weight that their updates have in FedBuff") {
  const BufferedAveraging strategy(1.0, 2);
  Buffer buffer(strategy, 2, 2);
  buffer.add({1.0F, 1.0F}, 0);
  buffer.add({4.0F, 4.0F}, 3);
  // The trained element by (1 + 2) / 2, the other to the mean (1 + 2) / (1 + 1/2).
  CHECK(buffer.next({0.0F, 0.0F}, 1) == std::vector<float>{1.5F, 2.0F});
}

TEST_CASE("FedBuff finds the optimum of a convex problem from updates that are up to four versions behind") {
  // Devices descend on a·(w − 3)²/2 for a of 1/2, 1 and 2; of each buffer of two one is fresh and one behind.
  const BufferedAveraging strategy(1.0, 2);
  std::deque<float> versions = {10.0F};
  for (std::uint64_t round = 0; round < 400; ++round) {
    Buffer buffer(strategy, 2, 1);
    for (const std::uint64_t staleness :
         {std::uint64_t{0}, std::min<std::uint64_t>(round % 5, versions.size() - 1)}) {
      const double curvature = 0.5 * std::pow(2.0, static_cast<double>((round + staleness) % 3));
      const double from = versions[staleness];
      buffer.add({static_cast<float>(-0.1 * curvature * (from - 3.0))}, staleness);
    }
    versions.push_front(buffer.next({versions.front()}, 1)[0]);
  }
  CHECK(std::abs(versions.front() - 3.0F) < 1e-3F);
}

TEST_CASE("FedBuff refuses what a buffer cannot honour and needs to know how far behind is too far (I9)") {
  CHECK(refusal(fedbuff_plan()).empty());
  Plan plan = fedbuff_plan();
  plan.round.server_max_staleness.reset();
  CHECK(refusal(plan) ==
        "the strategy fedbuff needs server_max_staleness, how many versions an update may be behind");
  plan = fedbuff_plan();
  plan.round.minimum = 2;
  CHECK(refusal(plan) ==
        "the round's minimum is 2 updates; the strategy fedbuff allows as many as the goal, 3, since a "
        "buffer has "
        "no deadline");
  plan = fedbuff_plan();
  plan.round.over_selection = 1.5;
  CHECK(refusal(plan) ==
        "over_selection is 1.500000; the strategy fedbuff allows 1; server_concurrency says how many devices "
        "are at "
        "work");
  plan = fedbuff_plan();
  plan.round.server_concurrency = 1;
  plan.round.server_learning_rate = 0.5;
  CHECK(refusal(plan).empty());
  plan.round.server_momentum = 0.5;
  CHECK(refusal(plan) ==
        "server_momentum is nothing that the strategy fedbuff has; it has server_learning_rate, "
        "server_concurrency, server_max_staleness");
}

TEST_CASE("only FedBuff's tasks are asynchronous (I9)") {
  Plan plan;
  CHECK_FALSE(plan.round.asynchronous());
  plan.round.server_max_staleness = 3;
  CHECK(refusal(plan) ==
        "server_max_staleness is nothing that the strategy fedavg has; it has server_learning_rate");
}
