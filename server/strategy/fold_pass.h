#pragma once

#include <cstddef>
#include <cstdint>

/// The inner loop of the exact fold, compiled for each kind of vector that a processor may have. Private to
/// server/strategy.
namespace fl::server {

/// A range of one update's elements, and what the update counts for.
struct WeightedDelta {
  const float* values = nullptr;
  std::uint32_t weight = 0;
};

inline constexpr std::size_t widest_pass = 8;

/// Kinds of vectors, each including those before it.
enum class VectorUnit : std::uint8_t { baseline, avx2, avx512 };
/// The widest that this processor has.
VectorUnit best_vector_unit();

/// One pass over `count` elements of the sum: to each is added, for every one of the `updates` (1 to
/// widest_pass), its weight · delta rounded to a multiple of the quantum for which `rounder` is 1.5·2^52
/// quanta. Returns the largest magnitude among the deltas, as the bits of a float: of NaN they are larger
/// than of any number. Every `unit`, which must be one that the processor has, gives the same bits.
std::uint32_t fold_pass(double* sum, std::size_t count, const WeightedDelta* deltas, std::size_t updates,
                        double rounder, VectorUnit unit = best_vector_unit());

}  // namespace fl::server
