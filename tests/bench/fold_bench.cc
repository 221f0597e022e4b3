#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/random.h"
#include "server/strategy/exact_fold.h"
#include "tests/bench/beside.h"

namespace {

std::vector<float> random_delta(std::size_t elements) {
  fl::Random random(1);
  std::vector<float> delta(elements);
  for (float& value : delta) value = static_cast<float>(random.uniform() - 0.5);
  return delta;
}

/// Elements a second. The limit: memory, as a plain sum of the same arrays finds it, which reads and writes
/// the same 20 bytes an element and rounds as it likes.
void fold_elements(benchmark::State& state) {
  const std::vector<float> delta = random_delta(static_cast<std::size_t>(state.range(0)));
  fl::server::ExactFold fold(delta.size(), fl::server::fold_quantum(100, 10'000, 16.0));
  std::vector<double> sum(delta.size());
  fl::bench::measure_beside(
      state, static_cast<double>(delta.size()),
      [&] {
        fold.add(0, delta, 100);
        benchmark::DoNotOptimize(fold.sum().data());
        benchmark::ClobberMemory();
      },
      [&] {
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(delta[i]);
        benchmark::DoNotOptimize(sum.data());
        benchmark::ClobberMemory();
      });
}

}  // namespace

// One that stays in the cache and one that does not.
BENCHMARK(fold_elements)->Arg(1 << 16)->Arg(1 << 24)->UseManualTime();
