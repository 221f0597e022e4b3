#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

namespace fl::libtorch {

/// Gives a training session random numbers of its own although libtorch has one generator for the whole
/// process: for as long as a batch's forward pass runs, the generator holds the session's state, other
/// sessions that draw wait, and afterwards the process has its own state back.
///
/// A model whose first batch draws nothing is taken for one that never does and runs beside others.
class RandomDraws {
 public:
  explicit RandomDraws(std::uint64_t seed);

  /// Runs a forward pass.
  at::Tensor run(const std::function<at::Tensor()>& forward);

 private:
  at::Tensor run_with_own_state(const std::function<at::Tensor()>& forward);

  at::Tensor state_;
  bool draws_ = true;
  bool tried_ = false;
};

}  // namespace fl::libtorch
