#pragma once

#include "common/model/contract.h"
#include "common/program/arguments.h"

namespace fl::server {

/// Adds the options that make a task's contract: data.format, data.columns, labels, loss, input.* and so on.
void add_contract_options(program::Options& options);

/// The contract that the options say, validated. Inputs and outputs that are not given follow from the data,
/// the labels and the loss; a text's labels from its alphabet. Throws UsageError naming the option, or
/// Error(invalid_argument) where parts do not fit each other.
TaskContract contract_of(const program::Arguments& arguments);

}  // namespace fl::server
