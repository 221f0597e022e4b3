#include "client/agent/evaluation.h"

#include <chrono>
#include <cmath>

#include "common/base/error.h"

namespace fl::client {

std::optional<Evaluation> evaluate(const EvaluationOffer& offer, Engine& engine, const ModelStore& store,
                                   const ExampleStore& examples, const std::stop_token& stop) {
  const Manifest manifest = held_manifest(store, offer.task, offer.version);
  if (examples.count(offer.task, Side::held_out) == 0) {
    throw Error(ErrorCode::failed_precondition, "this device holds out no examples of " + offer.task);
  }
  const std::unique_ptr<Model> model = open_version(engine, store, manifest);
  const auto in_time = [&](const Examples& part) {
    if (std::chrono::steady_clock::now() < offer.deadline) return model->evaluate(part);
    throw Error(ErrorCode::timeout, "the time to evaluate was over before all examples were tested");
  };
  const std::optional<Evaluation> evaluation = evaluate_held_out(in_time, examples, offer.task, stop);
  if (!evaluation || std::isfinite(evaluation->loss)) return evaluation;
  throw Error(ErrorCode::invalid_data, "the loss on this device's held-out examples is NaN or infinite");
}

}  // namespace fl::client
