#pragma once

#include <cstdint>
#include <vector>

#include "client/include/fl/device.h"
#include "common/model/contract.h"
#include "common/model/tensor.h"

namespace fl::client {

/// What a model's first output, [batch, ...] of fp32, says of each example of the batch: softmax of the last
/// dimension for cross_entropy, the logistic function for bce_with_logits, where the task has labels; else
/// the values as they are. Throws Error(invalid_data) where the output has no batch dimension.
std::vector<Prediction> answers_from(const Tensor& output, const TaskContract& contract,
                                     std::uint64_t version);

}  // namespace fl::client
