#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "client/agent/backoff.h"
#include "client/agent/events.h"
#include "client/agent/trial.h"
#include "client/home/device_home.h"
#include "client/store/example_store.h"
#include "client/store/model_stores.h"
#include "common/base/clock.h"

namespace fl::client {

/// A version that serves from now on, opened.
struct AdoptedVersion {
  Manifest manifest;
  std::unique_ptr<Model> model;
  std::optional<Evaluation> evaluation;
  std::uint64_t previous = 0;  ///< The version that served before; 0 where none did.
};

/// What the agent works with. Everything it refers to outlives it.
struct AgentParts {
  DeviceHome& home;
  ModelStores& models;
  ExampleStore& examples;
  const Clock& clock;
  EngineSource engine;
  std::function<void(AdoptedVersion)> on_adopted;  ///< On the agent's thread.
  EventListener on_event;                          ///< On the agent's thread.
  BackoffPolicy backoff;
  std::uint64_t seed = 0;  ///< Of the jitter.
};

}  // namespace fl::client
