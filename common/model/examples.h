#pragma once

#include <cstddef>
#include <vector>

#include "common/model/tensor.h"

namespace fl {

/// Training or test data in memory: one tensor per model input and one of targets, each with the example as
/// its first dimension. Targets are int64 class numbers for cross_entropy, fp32 values for the other losses.
struct Examples {
  std::vector<Tensor> inputs;
  Tensor targets;

  /// How many examples there are.
  std::size_t count() const {
    return targets.shape.empty() ? 0 : static_cast<std::size_t>(targets.shape.front());
  }
};

/// One example: the tensors of `Examples` without their first dimension.
struct Example {
  std::vector<Tensor> inputs;
  Tensor target;
};

/// Stacks examples along a new first dimension. Throws Error(invalid_data) naming the first example whose
/// datatypes or shapes differ from those before it. No examples give an empty Examples.
Examples stack(const std::vector<Example>& examples);

}  // namespace fl
