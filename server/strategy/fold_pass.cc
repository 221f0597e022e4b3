#include "server/strategy/fold_pass.h"

#include <algorithm>
#include <array>
#include <bit>

namespace fl::server {
namespace {

constexpr std::uint32_t magnitude_bits = 0x7fff'ffff;

/// With the number of updates known, so that the loop over them is unrolled and the one over elements
/// vectorised. A product is exact in double, so a processor that fuses it with the sum rounds as one that
/// does not.
template <std::size_t updates>
[[gnu::always_inline]] inline std::uint32_t pass(double* __restrict sum, std::size_t count,
                                                 const WeightedDelta* deltas, double rounder) {
  std::array<const float*, updates> values{};
  std::array<double, updates> weights{};
  for (std::size_t update = 0; update < updates; ++update) {
    values[update] = deltas[update].values;
    weights[update] = deltas[update].weight;
  }
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    double total = sum[i];
    for (std::size_t update = 0; update < updates; ++update) {
      const float value = values[update][i];
      largest = std::max(largest, std::bit_cast<std::uint32_t>(value) & magnitude_bits);
      total += (weights[update] * static_cast<double>(value) + rounder) - rounder;
    }
    sum[i] = total;
  }
  return largest;
}

using Pass = std::uint32_t (*)(double*, std::size_t, const WeightedDelta*, double);
using Passes = std::array<Pass, widest_pass>;

template <std::size_t updates>
std::uint32_t baseline(double* sum, std::size_t count, const WeightedDelta* deltas, double rounder) {
  return pass<updates>(sum, count, deltas, rounder);
}
constexpr Passes baseline_passes{baseline<1>, baseline<2>, baseline<3>, baseline<4>,
                                 baseline<5>, baseline<6>, baseline<7>, baseline<8>};

#if defined(__x86_64__)
template <std::size_t updates>
[[gnu::target("avx2,fma")]] std::uint32_t avx2(double* sum, std::size_t count, const WeightedDelta* deltas,
                                               double rounder) {
  return pass<updates>(sum, count, deltas, rounder);
}
constexpr Passes avx2_passes{avx2<1>, avx2<2>, avx2<3>, avx2<4>, avx2<5>, avx2<6>, avx2<7>, avx2<8>};

template <std::size_t updates>
[[gnu::target("avx512f,fma")]] std::uint32_t avx512(double* sum, std::size_t count,
                                                    const WeightedDelta* deltas, double rounder) {
  return pass<updates>(sum, count, deltas, rounder);
}
constexpr Passes avx512_passes{avx512<1>, avx512<2>, avx512<3>, avx512<4>,
                               avx512<5>, avx512<6>, avx512<7>, avx512<8>};
#endif

const Passes& passes_for([[maybe_unused]] VectorUnit unit) {
#if defined(__x86_64__)
  if (unit == VectorUnit::avx512) return avx512_passes;
  if (unit == VectorUnit::avx2) return avx2_passes;
#endif
  return baseline_passes;
}

}  // namespace

VectorUnit best_vector_unit() {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f")) return VectorUnit::avx512;
  if (avx2) return VectorUnit::avx2;
#endif
  return VectorUnit::baseline;
}

std::uint32_t fold_pass(double* sum, std::size_t count, const WeightedDelta* deltas, std::size_t updates,
                        double rounder, VectorUnit unit) {
  return passes_for(unit).at(updates - 1)(sum, count, deltas, rounder);
}

}  // namespace fl::server
