#include "client/include/fl/device.h"

#include <utility>

#include "client/agent/enrolment.h"
#include "client/sdk/device_state.h"
#include "client/sdk/example_check.h"
#include "common/base/error.h"
#include "common/data/reader.h"

namespace fl {

Device::Device(std::unique_ptr<State> state) : state_(std::move(state)) {}
Device::Device(Device&&) noexcept = default;
Device& Device::operator=(Device&&) noexcept = default;
Device::~Device() = default;

Device Device::enrol(const std::filesystem::path& home, std::string_view token, const std::string& name,
                     Options options) {
  if (options.guest) throw Error(ErrorCode::invalid_argument, "a guest cannot enrol a device");
  return Device(std::make_unique<State>(client::enrol(home, token, name), std::move(options)));
}

Device Device::open(const std::filesystem::path& home, Options options) {
  return Device(std::make_unique<State>(client::DeviceHome::open(home), std::move(options)));
}

Prediction Device::predict(const std::string& task, std::span<const float> input) {
  const auto model = state_->serving(task);
  const Tensor batch = client::single_input(model->contract(), input);
  const std::vector<TensorView> views{batch.view()};
  std::vector<Prediction> answers = model->predict(views);
  if (answers.size() != 1)
    throw Error(ErrorCode::invalid_data, "the model gives no answer for a batch of one");
  return std::move(answers.front());
}

std::vector<Prediction> Device::predict(const std::string& task, std::span<const TensorView> inputs) {
  return state_->serving(task)->predict(inputs);
}

Evaluation Device::evaluate(const std::string& task, const Examples& examples) {
  return state_->serving(task)->evaluate(examples);
}

bool Device::add_example(const std::string& task, std::span<const float> input, std::string_view label) {
  return add_example(task, client::labelled_example(contract(task), input, label));
}

bool Device::add_example(const std::string& task, std::span<const float> input, float value) {
  return add_example(task, client::valued_example(contract(task), input, value));
}

bool Device::add_example(const std::string& task, const Example& example) {
  client::require_fitting(contract(task), example);
  const bool fresh = state_->examples.add(task, example);
  if (fresh && state_->agent) state_->agent->wake();
  return fresh;
}

std::uint64_t Device::import_files(const std::string& task, const std::vector<std::filesystem::path>& files,
                                   const ImportProgress& progress) {
  const TaskContract taken = contract(task);
  const std::unique_ptr<ExampleReader> reader = open_examples(files, taken, LabelPolicy::required);
  std::uint64_t read = 0;
  const std::uint64_t fresh = state_->examples.add_all(task, [&]() -> std::optional<Example> {
    std::optional<Example> example = reader->next();
    if (!example) return example;
    ++read;
    if (progress) progress(read, reader->where());
    return example;
  });
  if (read == 0) throw no_examples_in(files, taken);
  if (fresh > 0 && state_->agent) state_->agent->wake();
  return fresh;
}

DeviceStatus Device::status() const {
  const client::DeviceSettings& settings = state_->home.settings();
  DeviceStatus status;
  status.id = settings.device;
  status.name = settings.name;
  status.server = settings.server.text();
  const Timestamp expires = state_->home.certificate().not_after();
  status.certificate_expires =
      std::chrono::duration_cast<std::chrono::seconds>(expires.time_since_epoch()).count();
  for (const std::string& task : state_->models.tasks()) status.tasks.push_back(state_->status_of(task));
  return status;
}

std::vector<std::string> Device::tasks() const {
  return state_->models.tasks();
}

TaskContract Device::contract(const std::string& task) const {
  return state_->champion(task).manifest.contract;
}

const std::string& Device::id() const {
  return state_->home.settings().device;
}

void Device::on_model_change(std::function<void(const ModelChange&)> listener) {
  auto shared = std::make_shared<const std::function<void(const ModelChange&)>>(std::move(listener));
  const std::lock_guard guard(state_->mutex);
  state_->listener = std::move(shared);
}

void Device::start() {
  state_->require_owner("start");
  const std::lock_guard guard(state_->connecting);
  state_->agent->start();
}

void Device::stop() {
  if (state_->agent) state_->agent->stop();
}

void Device::sync() {
  state_->require_owner("sync");
  const std::lock_guard guard(state_->connecting);
  if (state_->agent->runs()) {
    throw Error(ErrorCode::failed_precondition, "the agent runs and fetches versions by itself");
  }
  const std::vector<std::string> refusals = client::fetch_newest(state_->agent_parts());
  if (!refusals.empty()) throw Error(ErrorCode::invalid_data, refusals.front());
}

std::unique_ptr<Model> Device::train_alone(const std::string& task, std::uint32_t epochs,
                                           const ProgressCallback& progress) {
  const client::StoredVersion champion = state_->champion(task);
  client::ModelStore& store = state_->slot(task).store();
  const Examples examples = state_->examples.load(task, client::Side::training);
  if (examples.count() == 0) {
    throw Error(ErrorCode::failed_precondition,
                "there are no training examples of " + task + " on this device");
  }
  std::unique_ptr<Model> model =
      state_->engine()->open(store.read_archive(champion.manifest), champion.manifest.contract);
  TrainingPlan plan = state_->plan_alone(task);
  plan.epochs = epochs;
  const TrainingResult result = model->train(examples, plan, {1, 1}, progress);
  if (result.cancelled) throw Error(ErrorCode::cancelled, "training was stopped");
  return model;
}

Evaluation Device::evaluate_held_out(const std::string& task, Model& model) {
  return client::evaluate_held_out([&](const Examples& batch) { return model.evaluate(batch); },
                                   state_->examples, task)
      .value_or(Evaluation());
}

Evaluation Device::evaluate_held_out(const std::string& task) {
  const auto model = state_->serving(task);
  return client::evaluate_held_out([&](const Examples& batch) { return model->evaluate(batch); },
                                   state_->examples, task)
      .value_or(Evaluation());
}

}  // namespace fl
