#pragma once

#include <cstdint>
#include <span>

#include "common/model/contract.h"
#include "common/model/examples.h"

namespace fl::libtorch {

/// Holds a batch's inputs against the contract. Returns how many examples there are, at least 1. Throws
/// Error(invalid_argument) naming the input whose datatype, shape or number of bytes does not fit.
std::int64_t check_inputs(std::span<const TensorView> inputs, const TaskContract& contract);

/// Holds examples against the contract's inputs and the targets against its loss; `classes` is how many the
/// model tells apart, for cross_entropy. There must be at least one example. Throws Error(invalid_argument)
/// naming the input, or the number of the first example whose class is none.
void check_examples(const Examples& examples, const TaskContract& contract, std::int64_t classes);

}  // namespace fl::libtorch
