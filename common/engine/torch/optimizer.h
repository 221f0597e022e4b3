#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/model/plan.h"

namespace fl::libtorch {

/// Steps on the trained part of a flat vector, with PyTorch's formulas and in the same order: the gradient
/// of the loss, plus the proximal term's, clipped by its norm over all parameters, plus weight decay, then
/// momentum or Adam. State (momentum, moments) starts at zero and lives as long as the optimiser, which is
/// one training session. Uses one thread and no randomness: the same calls give the same bits.
class FlatOptimizer {
 public:
  /// `weights` is the trained part; it and `start`, where the proximal term pulls to, outlive the optimiser.
  FlatOptimizer(const TrainingPlan& plan, double learning_rate, std::span<float> weights,
                std::span<const float> start);

  /// One gradient for each parameter, in the order of the weights; together as long as they are.
  void step(std::span<const std::span<const float>> gradients);

 private:
  std::span<const float> with_proximal_term(std::size_t offset, std::span<const float> gradient);
  float clip_factor(std::span<const std::span<const float>> gradients);
  void step_sgd(std::size_t offset, std::span<const float> gradient, float clip);
  void step_adam(std::size_t offset, std::span<const float> gradient, float clip);

  TrainingPlan plan_;
  float learning_rate_;
  std::span<float> weights_;
  std::span<const float> start_;
  std::vector<float> first_moment_;   // sgd: momentum
  std::vector<float> second_moment_;  // adam
  std::vector<float> scratch_;        // one parameter's gradient with the proximal term
  std::uint64_t steps_ = 0;
};

}  // namespace fl::libtorch
