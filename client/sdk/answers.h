#pragma once

#include <cstdint>
#include <vector>

#include "client/include/fl/device.h"
#include "common/model/contract.h"
#include "common/model/tensor.h"

namespace fl::client {

/// What a model's first output says of each example of the batch: see scores_of(). Throws as that does.
std::vector<Prediction> answers_from(const Tensor& output, const TaskContract& contract,
                                     std::uint64_t version);

}  // namespace fl::client
