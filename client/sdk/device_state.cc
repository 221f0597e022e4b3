#include "client/sdk/device_state.h"

#include <utility>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/engine/engine_module.h"

namespace fl {
namespace {

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  for (const std::byte byte : secret_bytes(sizeof seed))
    seed = (seed << 8U) | std::to_integer<std::uint64_t>(byte);
  return seed;
}

std::string joined(const std::vector<std::string>& tasks) {
  std::string text;
  for (const std::string& task : tasks) text += (text.empty() ? "" : ", ") + task;
  return text;
}

}  // namespace

Device::State::State(client::DeviceHome opened, Options with)
    : options(std::move(with)),
      access(options.guest ? client::Access::guest : client::Access::owner),
      home(std::move(opened)),
      lock(options.guest ? FileDescriptor() : home.lock()),
      examples(home.examples_path()),
      models(home.models_path(), home.settings().signing_key, access) {
  for (const std::string& task : models.tasks()) {
    client::ModelStore& store = *models.find(task);
    if (!options.guest) store.check_parts();
    client::tell_troubles(store, options.on_event);
  }
  if (!options.guest) agent = std::make_unique<client::Agent>(agent_parts(), options.train);
}

client::ServingSlot& Device::State::slot(const std::string& task) {
  const std::shared_ptr<client::ModelStore> store = models.find(task);
  if (store == nullptr) {
    const std::vector<std::string> tasks = models.tasks();
    throw Error(ErrorCode::not_found,
                "there is no task '" + task + "' on this device" +
                    (tasks.empty() ? "; none has come from the server yet" : ", there is " + joined(tasks)));
  }
  const std::lock_guard guard(mutex);
  std::unique_ptr<client::ServingSlot>& found = slots[task];
  if (!found) found = std::make_unique<client::ServingSlot>(store);
  return *found;
}

std::shared_ptr<client::ServedModel> Device::State::serving(const std::string& task) {
  return slot(task).serving([this] { return engine(); }, access, options.on_event);
}

client::StoredVersion Device::State::champion(const std::string& task) {
  const client::ModelStore& store = slot(task).store();
  std::optional<client::StoredVersion> version = store.champion();
  if (!version) throw store.absence();
  return std::move(*version);
}

std::shared_ptr<Engine> Device::State::engine() {
  if (options.engine) return options.engine;
  const std::lock_guard guard(mutex);
  if (!loaded_engine) loaded_engine = load_engine();
  return loaded_engine;
}

client::AgentParts Device::State::agent_parts() {
  return {.home = home,
          .models = models,
          .examples = examples,
          .clock = clock,
          .engine = [this] { return engine(); },
          .on_adopted = [this](client::AdoptedVersion version) { put_to_use(std::move(version)); },
          .on_event = options.on_event,
          .backoff = {},
          .seed = random_seed()};
}

void Device::State::put_to_use(client::AdoptedVersion version) {
  const ModelChange change{version.manifest.task, version.previous, version.manifest.version,
                           version.evaluation};
  slot(change.task)
      .serve(std::make_shared<client::ServedModel>(std::move(version.manifest), std::move(version.model)));
  std::shared_ptr<const std::function<void(const ModelChange&)>> told;
  {
    const std::lock_guard guard(mutex);
    told = listener;
  }
  try {
    if (told && *told) (*told)(change);
  } catch (...) {
    return;  // the app's failure, not the agent's
  }
}

void Device::State::require_owner(const char* what) const {
  if (!options.guest) return;
  throw Error(ErrorCode::failed_precondition,
              std::string(what) + " is the owner's of a home; it was opened as a guest");
}

TaskStatus Device::State::status_of(const std::string& task) {
  TaskStatus status;
  status.task = task;
  status.training_examples = examples.count(task, client::Side::training);
  status.held_out_examples = examples.count(task, client::Side::held_out);
  client::ModelStore& store = slot(task).store();
  if (access == client::Access::guest) {
    store.refresh();
    store.check_parts();
    client::tell_troubles(store, options.on_event);
  }
  if (const std::optional<client::StoredVersion> version = store.champion()) {
    status.version = version->manifest.version;
    status.held_out = version->evaluation;
  }
  return status;
}

TrainingPlan Device::State::plan_alone(const std::string& task) {
  client::ModelStore& store = slot(task).store();
  const std::optional<TrainingPlan> last = store.last_plan();
  client::tell_troubles(store, options.on_event);
  if (!last) {
    client::tell(
        options.on_event, AgentEvent::Kind::training, task,
        "this device knows the plan of no round of " + task + " yet; it trains alone by the default plan");
  }
  TrainingPlan plan = last.value_or(TrainingPlan());
  plan.steps = 0;
  plan.proximal_mu = 0.0;
  return plan;
}

}  // namespace fl
