#pragma once

#include <cstddef>
#include <vector>

namespace fl::server {

/// Sums of numbers that are exact and so free of order (I4): each term is cut to a multiple of at most 2^-124
/// of what a sum may come to, and multiples are added as integers. One thread at a time.
class ExactTotals {
 public:
  /// `count` sums of 0, none of which will come to more than `bound` in magnitude, which is above 0.
  ExactTotals(std::size_t count, double bound);

  std::size_t size() const { return sums_.size(); }
  void add(std::size_t index, double term) { sums_[index] += static_cast<Integer>(term * quanta_); }
  /// Adds sums of the same count and bound.
  void add(const ExactTotals& others);
  double value(std::size_t index) const { return static_cast<double>(sums_[index]) / quanta_; }

 private:
  __extension__ using Integer = __int128;

  std::vector<Integer> sums_;
  double quanta_;  ///< How many are 1: a power of two.
};

}  // namespace fl::server
