#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "client/agent/agent.h"
#include "client/home/device_home.h"
#include "client/include/fl/device.h"
#include "client/sdk/served_model.h"
#include "client/store/example_store.h"
#include "client/store/model_stores.h"
#include "common/base/clock.h"

namespace fl {

/// A Device's inside: the home, the stores, what is served, and the agent that works with them.
struct Device::State {
  State(client::DeviceHome opened, Options with);

  /// Throws Error(not_found) naming the tasks there are.
  client::ServingSlot& slot(const std::string& task);
  std::shared_ptr<client::ServedModel> serving(const std::string& task);
  /// Throws Error: not_found; failed_precondition where no version has come.
  client::StoredVersion champion(const std::string& task);
  std::shared_ptr<Engine> engine();
  client::AgentParts agent_parts();
  void put_to_use(client::AdoptedVersion version);
  void require_owner(const char* what) const;
  TaskStatus status_of(const std::string& task);
  /// The last round's plan, or the default one, for training that no server takes part in.
  TrainingPlan plan_alone(const std::string& task);

  Options options;
  client::Access access;
  client::DeviceHome home;
  FileDescriptor lock;
  client::ExampleStore examples;
  client::ModelStores models;
  SystemClock clock;
  std::mutex connecting;  // held while sync() or start() decides who connects
  std::mutex mutex;       // guards what follows
  std::shared_ptr<Engine> loaded_engine;
  std::map<std::string, std::unique_ptr<client::ServingSlot>> slots;
  std::shared_ptr<const std::function<void(const ModelChange&)>> listener;
  std::unique_ptr<client::Agent> agent;  // last, so that it ends first
};

}  // namespace fl
