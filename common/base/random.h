#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "common/base/bytes.h"

namespace fl {

/// A seeded stream of random numbers: xoshiro256** (Blackman and Vigna 2021), seeded by SplitMix64.
/// The same seed gives the same numbers on every machine and with every standard library, which the
/// distributions of <random> do not promise. Not for secrets. Satisfies UniformRandomBitGenerator.
class Random {
 public:
  using result_type = std::uint64_t;

  explicit Random(std::uint64_t seed);

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()();

  /// Uniform in [0, bound), without bias. `bound` must be positive.
  std::uint64_t below(std::uint64_t bound);
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Normal with mean 0 and standard deviation 1 (Box and Muller 1958).
  double normal();

  /// Fisher–Yates: every order is equally likely.
  template <typename Value>
  void shuffle(std::vector<Value>& values) {
    for (std::size_t left = values.size(); left > 1; --left) {
      std::swap(values[left - 1], values[below(left)]);
    }
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

/// A seed for a named part of a run, so that parts draw from independent streams.
std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t part);

/// Bytes for keys and tokens, from the operating system. Throws Error(internal) if there are none.
Bytes secret_bytes(std::size_t count);

}  // namespace fl
