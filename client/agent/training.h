#pragma once

#include <memory>
#include <stop_token>

#include "client/agent/trial.h"
#include "client/agent/work.h"
#include "client/store/example_store.h"
#include "client/store/model_store.h"
#include "common/engine/engine.h"

namespace fl::client {

/// Does the work of an offer: trains a model of its own from exactly the offered version, by its plan and
/// seed, on this device's training examples (a choice by the seed where there are more than may count).
///
/// Blocks; within a second of `stop`, as long as a batch takes less, it ends and gives null. `progress` is
/// called on this thread. Throws Error(failed_precondition) where the store does not hold the version or
/// there are no examples, Error(timeout) at the offer's deadline, and Error(invalid_data) where the delta has
/// an element that is NaN, infinite or over the offer's cap: no server takes such an update. In a task with
/// control variates the update has the change of the device's own behind the delta; throws as Controls does.
std::shared_ptr<const FinishedUpdate> train(const Offer& offer, Engine& engine, const ModelStore& store,
                                            const ExampleStore& examples, const std::stop_token& stop,
                                            const std::function<void(const TrainingProgress&)>& progress);

}  // namespace fl::client
