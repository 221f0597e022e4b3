#pragma once

#include "common/engine/engine.h"
#include "common/engine/torch/binding.h"
#include "common/engine/torch/trial.h"

namespace fl::libtorch {

/// Model::train on a bound module, for examples that have been checked against the contract. What a session
/// depends on: the weights, the examples, the plan and the session; nothing that ran before it, and with
/// models that draw random numbers nothing that runs beside it. libtorch's own exceptions pass.
TrainingResult train(Binding& binding, Loss loss, const Examples& examples, const TrainingPlan& plan,
                     const TrainingSession& session, const ProgressCallback& progress);

/// Model::evaluate likewise, of a model of which a trial learnt `trial`.
Evaluation evaluate(Binding& binding, Loss loss, const Examples& examples, const Trial& trial);

}  // namespace fl::libtorch
