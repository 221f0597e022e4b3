#pragma once

#include <chrono>

#include <benchmark/benchmark.h>

namespace fl::bench {

template <typename Work>
double seconds_of(Work& work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

/// Reports what our code does in a second, of which one call of `ours` does `amount`, beside the limit it
/// stands next to: what `limit` does of the same, measured in turns with ours. For benchmarks with
/// UseManualTime().
template <typename Ours, typename Limit>
void measure_beside(benchmark::State& state, double amount, Ours ours, Limit limit) {
  double our_seconds = 0;
  double limit_seconds = 0;
  for ([[maybe_unused]] auto step : state) {
    const double seconds = seconds_of(ours);
    limit_seconds += seconds_of(limit);
    our_seconds += seconds;
    state.SetIterationTime(seconds);
  }
  const double done = amount * static_cast<double>(state.iterations());
  state.counters["a_second"] = done / our_seconds;
  state.counters["limit"] = done / limit_seconds;
  state.counters["of_limit"] = limit_seconds / our_seconds;
}

}  // namespace fl::bench
