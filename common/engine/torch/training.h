#pragma once

#include "common/engine/engine.h"
#include "common/engine/torch/binding.h"

namespace fl::libtorch {

/// What models that draw random numbers in evaluation mode draw from, so that their answers repeat.
inline constexpr std::uint64_t answers_seed = 1;

/// Model::train on a bound module, for examples that have been checked against the contract. What a session
/// depends on: the weights, the examples, the plan and the session; nothing that ran before it, and with
/// models that draw random numbers nothing that runs beside it. libtorch's own exceptions pass.
TrainingResult train(Binding& binding, Loss loss, const Examples& examples, const TrainingPlan& plan,
                     const TrainingSession& session, const ProgressCallback& progress);

/// Model::evaluate likewise, which leaves the binding as it was.
Evaluation evaluate(Binding& binding, Loss loss, const Examples& examples);

}  // namespace fl::libtorch
