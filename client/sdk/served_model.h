#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/agent/events.h"
#include "client/agent/trial.h"
#include "client/include/fl/device.h"
#include "client/store/model_store.h"

namespace fl::client {

/// An opened version that answers. Its contract and version never change; calls take turns at the model. Any
/// thread.
class ServedModel {
 public:
  ServedModel(Manifest manifest, std::unique_ptr<Model> model)
      : manifest_(std::move(manifest)), model_(std::move(model)) {}

  std::uint64_t version() const { return manifest_.version; }
  const TaskContract& contract() const { return manifest_.contract; }
  std::vector<Prediction> predict(std::span<const TensorView> inputs);
  Evaluation evaluate(const Examples& examples);

 private:
  const Manifest manifest_;
  std::mutex mutex_;  // guards model_
  std::unique_ptr<Model> model_;
};

/// The place from which one task is served. A prediction takes the version that is there and ends on it,
/// whatever is put there meanwhile (I7). Any thread.
class ServingSlot {
 public:
  explicit ServingSlot(std::shared_ptr<ModelStore> store) : store_(std::move(store)) {}

  ModelStore& store() { return *store_; }

  /// The version that serves, opened from the store the first time. A version that does not verify or open
  /// gives way to last-good; `listener` is told. Throws Error(failed_precondition) where none is left, and as
  /// the engine cannot be loaded.
  std::shared_ptr<ServedModel> serving(const EngineSource& engine, Access access,
                                       const EventListener& listener);

  /// From now on this one, unless a newer one is there.
  void serve(std::shared_ptr<ServedModel> model);

 private:
  std::shared_ptr<ServedModel> current() const;
  std::shared_ptr<ServedModel> open_champion(const EngineSource& engine, Access access,
                                             const EventListener& listener);

  std::shared_ptr<ModelStore> store_;
  std::mutex opening_;
  mutable std::mutex mutex_;  // guards current_
  std::shared_ptr<ServedModel> current_;
};

/// Tells the listener what the store found damaged.
void tell_troubles(ModelStore& store, const EventListener& listener);

}  // namespace fl::client
