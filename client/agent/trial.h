#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "client/learning/gate.h"
#include "client/store/example_store.h"
#include "client/store/model_store.h"
#include "common/engine/engine.h"
#include "common/model/manifest.h"

namespace fl::client {

/// Gives the engine, loading it when it is first asked for. Any thread.
using EngineSource = std::function<std::shared_ptr<Engine>()>;

/// Opens a version whose parts are in the store, with its weights in place. Throws Error(invalid_data) where
/// the parts are damaged, the archive does not open, or its layout is not the manifest's.
std::unique_ptr<Model> open_version(Engine& engine, const ModelStore& store, const Manifest& manifest);

/// The manifest of the version that serves. Throws Error(failed_precondition) where that is not the one of
/// this number, which the server offers work with.
Manifest held_manifest(const ModelStore& store, const std::string& task, std::uint64_t version);

/// Tests a model, by what it says of a batch, on the examples held out on this device; nothing where there
/// are none, or where `stop` was asked for.
std::optional<Evaluation> evaluate_held_out(const std::function<Evaluation(const Examples&)>& evaluate,
                                            const ExampleStore& examples, const std::string& task,
                                            const std::stop_token& stop = {});

/// A version as it came out of its trial.
struct TriedVersion {
  std::unique_ptr<Model> model;
  std::optional<Evaluation> evaluation;
  std::string untested;  ///< Why it could not be tested on the held-out examples, where that failed.
};

/// Opens a version and tries it once, before it may serve: every weight must be finite, and so must its loss
/// and its answers on the examples held out on this device; where there are none, or none that can be read
/// and fit its contract, it must pass Model::try_out(). Throws Error(invalid_data) saying what is not, or
/// Error(cancelled) after `stop`.
TriedVersion try_version(Engine& engine, const ModelStore& store, const Manifest& manifest,
                         const ExampleStore& examples, const std::stop_token& stop);

/// Whether a version that came through its trial is to serve here. Every one is: how it compares with the
/// champion is not asked yet, and where there are no held-out examples could not be.
Verdict judge(const std::optional<Evaluation>& challenger, const std::optional<Evaluation>& champion);

}  // namespace fl::client
