#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/model/plan.h"

namespace fl::libtorch {

/// The gradient of one parameter.
struct Gradient {
  std::size_t count = 0;          ///< The parameter's elements.
  const float* values = nullptr;  ///< As many; null where the loss did not depend on the parameter.
};

/// Steps on the trained part of a flat vector, with PyTorch's formulas and in the same order: the gradient
/// of the loss, plus the proximal term's, clipped by its norm over all parameters, plus weight decay, then
/// momentum or Adam. A parameter without a gradient is left alone, with its state, as in PyTorch; the
/// proximal term, being part of the loss, gives every parameter one, and so does a correction. State
/// (momentum, moments) starts at zero and lives as long as the optimiser, which is one training session. Uses
/// one thread and no randomness: the same calls give the same bits.
class FlatOptimizer {
 public:
  /// `weights` is the trained part; it, `start`, where the proximal term pulls to, and `correction`, which
  /// sgd adds to what it steps by, outlive the optimiser. The latter may be empty.
  FlatOptimizer(const TrainingPlan& plan, double learning_rate, std::span<float> weights,
                std::span<const float> start, std::span<const float> correction = {});

  /// One gradient for each parameter, in the order of the weights; together as long as they are.
  void step(std::span<const Gradient> gradients);

 private:
  std::span<const float> with_proximal_term(std::size_t offset, const Gradient& gradient);
  float clip_factor(std::span<const Gradient> gradients);
  void step_sgd(std::size_t offset, std::span<const float> gradient, float clip);
  void step_corrected(std::size_t offset, std::size_t count, std::span<const float> gradient, float clip);
  void step_adam(std::size_t offset, std::span<const float> gradient, float clip, std::uint64_t count);

  TrainingPlan plan_;
  double learning_rate_;
  std::span<float> weights_;
  std::span<const float> start_;
  std::span<const float> correction_;
  std::vector<float> first_moment_;   // sgd: momentum
  std::vector<float> second_moment_;  // adam
  std::vector<float> scratch_;        // one parameter's gradient with the proximal term
  std::vector<std::uint64_t> steps_;  // of each parameter
};

}  // namespace fl::libtorch
