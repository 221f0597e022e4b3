#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "common/base/random.h"
#include "server/strategy/exact_fold.h"
#include "tests/bench/beside.h"

namespace {

using fl::server::ExactFold;
using fl::server::WeightedDelta;
using fl::server::widest_pass;

constexpr std::size_t elements = 10'000'000;
// As the server reads updates: what stays in a core's own cache.
constexpr std::size_t tile = std::size_t{8} << 10U;
constexpr std::uint32_t weight = 100;

/// The limit: a sum that rounds as it likes and looks at nothing, for the same vectors of the processor.
#if defined(__x86_64__)
[[gnu::target_clones("avx512f", "avx2", "default")]]
#endif
void axpy(double* __restrict sum, const float* __restrict values, double factor, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sum[i] += factor * static_cast<double>(values[i]);
}

using RangeWork = std::function<void(std::size_t first, std::size_t last)>;

/// The work on all elements, shared among so many threads.
void share(std::size_t threads, const RangeWork& work) {
  std::vector<std::jthread> others;
  const std::size_t length = (elements / threads / tile + 1) * tile;
  for (std::size_t i = 1; i < threads; ++i) {
    others.emplace_back([&work, first = std::min(i * length, elements),
                         last = std::min((i + 1) * length, elements)] { work(first, last); });
  }
  work(0, std::min(length, elements));
}

class FoldBench {
 public:
  FoldBench() : plain_(elements), fold_(elements, fl::server::fold_quantum(100, 10'000, 1.0), 1.0F) {
    fl::Random random(1);
    for (std::vector<float>& delta : deltas_) {
      delta.resize(elements);
      for (float& value : delta) value = static_cast<float>(random.uniform() - 0.5);
    }
  }

  /// Each adds all eight updates.
  void plain(std::size_t threads) {
    for (const std::vector<float>& delta : deltas_) {
      share(threads, [&](std::size_t first, std::size_t last) {
        axpy(plain_.data() + first, delta.data() + first, weight, last - first);
      });
    }
    benchmark::ClobberMemory();
  }
  void in_passes_of(std::size_t updates, std::size_t threads) {
    for (std::size_t at = 0; at < deltas_.size(); at += updates) {
      share(threads, [&](std::size_t first, std::size_t last) { add(at, updates, first, last); });
    }
    benchmark::ClobberMemory();
  }

 private:
  void add(std::size_t at, std::size_t updates, std::size_t first, std::size_t last) {
    std::array<WeightedDelta, widest_pass> pass{};
    for (; first < last; first += tile) {
      for (std::size_t i = 0; i < updates; ++i) pass.at(i) = {deltas_.at(at + i).data() + first, weight};
      const bool within = fold_.add(first, std::min(tile, last - first), std::span(pass).first(updates));
      if (!within) throw std::logic_error("no delta is out of bounds");
    }
  }

  std::array<std::vector<float>, widest_pass> deltas_;
  std::vector<double> plain_;
  ExactFold fold_;
};

/// Elements of updates a second, of a model of 10 million, all checked for NaN and the bound: one update a
/// pass and eight, on one core and on all. The limit, by turns with them: axpy.
void fold(benchmark::State& state) {
  FoldBench bench;
  struct Seconds {
    double axpy = 0;
    double one = 0;
    double eight = 0;
  };
  const std::size_t all = std::max(1U, std::thread::hardware_concurrency());
  std::array<Seconds, 2> seconds{};
  for ([[maybe_unused]] auto step : state) {
    double whole = 0;
    for (std::size_t i = 0; i < seconds.size(); ++i) {
      const std::size_t threads = i == 0 ? 1 : all;
      auto plain = [&] { bench.plain(threads); };
      auto one = [&] { bench.in_passes_of(1, threads); };
      auto eight = [&] { bench.in_passes_of(widest_pass, threads); };
      const Seconds taken{fl::bench::seconds_of(plain), fl::bench::seconds_of(one),
                          fl::bench::seconds_of(eight)};
      seconds.at(i).axpy += taken.axpy;
      seconds.at(i).one += taken.one;
      seconds.at(i).eight += taken.eight;
      whole += taken.axpy + taken.one + taken.eight;
    }
    state.SetIterationTime(whole);
  }
  const double done = static_cast<double>(widest_pass * elements) * static_cast<double>(state.iterations());
  const auto report = [&](const Seconds& taken, const std::string& cores) {
    state.counters["axpy" + cores] = done / taken.axpy;
    state.counters["one_per_pass" + cores] = done / taken.one;
    state.counters["eight_per_pass" + cores] = done / taken.eight;
    state.counters["ratio_to_axpy" + cores] = taken.axpy / taken.one;
    state.counters["tile_gain" + cores] = taken.one / taken.eight;
  };
  report(seconds[0], "");
  report(seconds[1], "_all_cores");
}

}  // namespace

BENCHMARK(fold)->UseManualTime()->Iterations(5)->Unit(benchmark::kMillisecond);
