#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "common/model/contract.h"
#include "common/model/tensor.h"

namespace fl {

/// What a model says of each example of a batch, one example after the other.
struct Scores {
  std::size_t examples = 0;
  std::vector<float> values;

  std::span<const float> of(std::size_t example) const {
    const std::size_t each = values.size() / examples;
    return std::span(values).subspan(example * each, each);
  }
};

/// Of a model's first output, [batch, ...] of fp32: softmax of the last dimension for cross_entropy, the
/// logistic function for bce_with_logits, where the task has labels; else the values as they are. One output
/// that tells two names apart becomes two scores. Throws Error(invalid_data) where the output has no batch
/// dimension, or an example has no values.
Scores scores_of(const Tensor& output, const TaskContract& contract);

/// The label with the highest of one example's scores; empty where they are not one for each label, or one is
/// NaN or infinite.
std::string_view likeliest(std::span<const float> scores, const TaskContract& contract);

}  // namespace fl
