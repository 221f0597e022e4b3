#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

namespace fl::libtorch {

/// Gives a training session, or an answer, random numbers of its own although libtorch has one generator for
/// the whole process: for as long as a forward pass runs, the generator holds the session's state, others
/// that draw wait, and afterwards the process has its own state back.
///
/// A model whose first pass draws nothing is taken for one that never does and runs beside others.
class RandomDraws {
 public:
  /// Without `draws` it does nothing, for a model that is known to draw nothing.
  explicit RandomDraws(std::uint64_t seed, bool draws = true);

  /// Runs a forward pass.
  void run(const std::function<void()>& forward);
  /// Whether the first pass drew; true before it.
  bool draws() const { return draws_; }

 private:
  void run_with_own_state(const std::function<void()>& forward);

  at::Tensor state_;
  bool draws_;
  bool tried_ = false;
};

}  // namespace fl::libtorch
