#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/model/tensor.h"

namespace fl {

/// Cuts a stream of samples into windows: the first holds the first `window` samples, the next begins `step`
/// samples later. Keeps one window of samples. One thread at a time.
class WindowCutter {
 public:
  /// All three must be positive.
  WindowCutter(std::size_t columns, std::size_t window, std::size_t step);

  /// Forgets the samples: the next is the first of the first window.
  void restart() { count_ = 0; }

  /// Takes one sample of `columns` values with its target (0 where there are none); returns whether a window
  /// ends with it, which then can be had from input() and targets().
  bool push(std::span<const float> sample, double target);

  /// The last `window` samples as [columns, window], in the order of time.
  Tensor input() const;
  /// Their targets, in any order.
  std::span<const double> targets() const { return targets_; }

 private:
  std::size_t columns_;
  std::size_t window_;
  std::size_t step_;
  std::uint64_t count_ = 0;
  std::vector<float> samples_;  // a ring of `window` samples; sample i is at i mod window
  std::vector<double> targets_;
};

}  // namespace fl
