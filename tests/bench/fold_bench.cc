#include <cstddef>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "common/base/random.h"
#include "server/strategy/exact_fold.h"

namespace {

constexpr std::uint32_t weight = 100;

std::vector<float> random_delta(std::size_t elements) {
  fl::Random random(1);
  std::vector<float> delta(elements);
  for (float& value : delta) value = static_cast<float>(random.uniform() - 0.5);
  return delta;
}

/// The limit the fold stands next to: a weighted sum in double that rounds as it likes.
void plain_sum(benchmark::State& state) {
  const std::vector<float> delta = random_delta(static_cast<std::size_t>(state.range(0)));
  std::vector<double> sum(delta.size());
  for ([[maybe_unused]] auto step : state) {
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i] += static_cast<double>(weight) * static_cast<double>(delta[i]);
    benchmark::DoNotOptimize(sum.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void exact_fold(benchmark::State& state) {
  const std::vector<float> delta = random_delta(static_cast<std::size_t>(state.range(0)));
  fl::server::ExactFold fold(delta.size(), fl::server::fold_quantum(100, 10'000, 16.0));
  for ([[maybe_unused]] auto step : state) {
    fold.add(0, delta, weight);
    benchmark::DoNotOptimize(fold.sum().data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

}  // namespace

// One that stays in the cache and one that does not.
BENCHMARK(plain_sum)->Arg(1 << 16)->Arg(1 << 24);
BENCHMARK(exact_fold)->Arg(1 << 16)->Arg(1 << 24);
