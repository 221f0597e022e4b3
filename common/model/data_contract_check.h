#pragma once

#include "common/model/contract.h"

namespace fl {

/// The part of TaskContract::validate() that holds the data against the only input, the loss and the labels.
/// Private to common/model.
void check_data(const TaskContract& contract);

}  // namespace fl
