#pragma once

#include <optional>
#include <stop_token>

#include "client/agent/trial.h"
#include "client/agent/work.h"
#include "client/store/example_store.h"
#include "client/store/model_store.h"
#include "common/engine/engine.h"

namespace fl::client {

/// Does the work of an offer: tests a model of its own of exactly the offered version on all of this device's
/// held-out examples.
///
/// Blocks; within a batch of `stop` it ends and gives nothing. Throws Error(failed_precondition) where the
/// store does not hold the version or no examples are held out, Error(timeout) at the offer's deadline, and
/// Error(invalid_data) where the loss is NaN or infinite: no server takes such a report.
std::optional<Evaluation> evaluate(const EvaluationOffer& offer, Engine& engine, const ModelStore& store,
                                   const ExampleStore& examples, const std::stop_token& stop);

}  // namespace fl::client
