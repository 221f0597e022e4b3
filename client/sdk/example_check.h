#pragma once

#include <span>
#include <string_view>

#include "common/model/contract.h"
#include "common/model/examples.h"

namespace fl::client {

/// An example from one fp32 input and what it stands for. Throw Error(invalid_argument) where the values or
/// the label do not fit the contract.
Example labelled_example(const TaskContract& contract, std::span<const float> input, std::string_view label);
Example valued_example(const TaskContract& contract, std::span<const float> input, float value);

/// The values as a batch of one. Throws Error(invalid_argument) where the contract has not a single fp32
/// input of that many values, or one is not finite.
Tensor single_input(const TaskContract& contract, std::span<const float> values);

/// Throws Error(invalid_argument) saying what of the example does not fit the contract, so that what is kept
/// can be trained on.
void require_fitting(const TaskContract& contract, const Example& example);

}  // namespace fl::client
