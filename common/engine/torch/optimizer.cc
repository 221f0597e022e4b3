#include "common/engine/torch/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fl::libtorch {
namespace {

double sum_of_squares(std::span<const float> values) {
  // Several sums at once, because a single one waits for each addition.
  std::array<double, 8> sums{};
  std::size_t i = 0;
  for (; i + sums.size() <= values.size(); i += sums.size()) {
    for (std::size_t lane = 0; lane < sums.size(); ++lane) {
      const double value = values[i + lane];
      sums[lane] += value * value;
    }
  }
  double total = 0.0;
  for (; i < values.size(); ++i) total += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

FlatOptimizer::FlatOptimizer(const TrainingPlan& plan, double learning_rate, std::span<float> weights,
                             std::span<const float> start, std::span<const float> correction)
    : plan_(plan), learning_rate_(learning_rate), weights_(weights), start_(start), correction_(correction) {
  const bool adam = plan.optimizer == Optimizer::adam;
  if (adam || plan.momentum != 0.0) first_moment_.resize(weights.size());
  if (adam) second_moment_.resize(weights.size());
}

void FlatOptimizer::step(std::span<const Gradient> gradients) {
  steps_.resize(gradients.size());
  const float clip = clip_factor(gradients);
  std::size_t offset = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const std::span<const float> whole = with_proximal_term(offset, gradients[i]);
    if (!correction_.empty()) {
      step_corrected(offset, gradients[i].count, whole, clip);
    } else if (!whole.empty()) {
      ++steps_[i];
      if (plan_.optimizer == Optimizer::adam) {
        step_adam(offset, whole, clip, steps_[i]);
      } else {
        step_sgd(offset, whole, clip);
      }
    }
    offset += gradients[i].count;
  }
}

/// Empty where the parameter is to be left alone.
std::span<const float> FlatOptimizer::with_proximal_term(std::size_t offset, const Gradient& gradient) {
  const bool given = gradient.values != nullptr;
  if (plan_.proximal_mu == 0.0) return {gradient.values, given ? gradient.count : 0};
  const auto mu = static_cast<float>(plan_.proximal_mu);
  const float* weights = weights_.data() + offset;
  const float* start = start_.data() + offset;
  if (scratch_.size() < gradient.count) scratch_.resize(gradient.count);
  for (std::size_t i = 0; i < gradient.count; ++i) {
    scratch_[i] = (given ? gradient.values[i] : 0.0F) + mu * (weights[i] - start[i]);
  }
  return std::span<const float>(scratch_).first(gradient.count);
}

/// What clip_grad_norm_ multiplies gradients with.
float FlatOptimizer::clip_factor(std::span<const Gradient> gradients) {
  if (plan_.gradient_clip == 0.0) return 1.0F;
  double total = 0.0;
  std::size_t offset = 0;
  for (const Gradient& gradient : gradients) {
    total += sum_of_squares(with_proximal_term(offset, gradient));
    offset += gradient.count;
  }
  return static_cast<float>(std::min(1.0, plan_.gradient_clip / (std::sqrt(total) + 1e-6)));
}

void FlatOptimizer::step_sgd(std::size_t offset, std::span<const float> gradient, float clip) {
  const auto rate = static_cast<float>(learning_rate_);
  const auto decay = static_cast<float>(plan_.weight_decay);
  float* weights = weights_.data() + offset;
  if (first_moment_.empty()) {
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      weights[i] -= rate * (clip * gradient[i] + decay * weights[i]);
    }
    return;
  }
  const auto momentum = static_cast<float>(plan_.momentum);
  float* velocity = first_moment_.data() + offset;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    velocity[i] = momentum * velocity[i] + (clip * gradient[i] + decay * weights[i]);
    weights[i] -= rate * velocity[i];
  }
}

/// As step_sgd() without momentum; of a parameter without a gradient the gradient is 0.
void FlatOptimizer::step_corrected(std::size_t offset, std::size_t count, std::span<const float> gradient,
                                   float clip) {
  const auto rate = static_cast<float>(learning_rate_);
  const auto decay = static_cast<float>(plan_.weight_decay);
  const float* correction = correction_.data() + offset;
  float* weights = weights_.data() + offset;
  for (std::size_t i = 0; i < count; ++i) {
    const float own = gradient.empty() ? 0.0F : clip * gradient[i];
    weights[i] -= rate * (own + decay * weights[i] + correction[i]);
  }
}

void FlatOptimizer::step_adam(std::size_t offset, std::span<const float> gradient, float clip,
                              std::uint64_t count) {
  const auto decay = static_cast<float>(plan_.weight_decay);
  const auto beta1 = static_cast<float>(plan_.beta1);
  const auto beta2 = static_cast<float>(plan_.beta2);
  // In double before they are floats, because for a beta near 1 a float has few digits of 1 - beta.
  const auto rest1 = static_cast<float>(1.0 - plan_.beta1);
  const auto rest2 = static_cast<float>(1.0 - plan_.beta2);
  const auto steps = static_cast<double>(count);
  const auto step_size = static_cast<float>(learning_rate_ / (1.0 - std::pow(plan_.beta1, steps)));
  const auto scale = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(plan_.beta2, steps)));
  const auto epsilon = static_cast<float>(plan_.epsilon);
  float* weights = weights_.data() + offset;
  float* first = first_moment_.data() + offset;
  float* second = second_moment_.data() + offset;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const float value = clip * gradient[i] + decay * weights[i];
    first[i] = beta1 * first[i] + rest1 * value;
    second[i] = beta2 * second[i] + rest2 * value * value;
    weights[i] -= step_size * first[i] / (std::sqrt(second[i]) * scale + epsilon);
  }
}

}  // namespace fl::libtorch
