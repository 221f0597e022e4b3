#include "client/sdk/served_model.h"

#include <utility>

#include "client/sdk/answers.h"
#include "common/base/error.h"

namespace fl::client {

std::vector<Prediction> ServedModel::predict(std::span<const TensorView> inputs) {
  std::vector<Tensor> outputs;
  {
    const std::lock_guard lock(mutex_);
    outputs = model_->predict(inputs);
  }
  if (outputs.empty()) throw Error(ErrorCode::invalid_data, "the model gives no output");
  return answers_from(outputs.front(), contract(), version());
}

Evaluation ServedModel::evaluate(const Examples& examples) {
  const std::lock_guard lock(mutex_);
  return model_->evaluate(examples);
}

std::shared_ptr<ServedModel> ServingSlot::serving(const EngineSource& engine, Access access,
                                                  const EventListener& listener) {
  if (auto model = current()) return model;
  const std::lock_guard lock(opening_);
  if (auto model = current()) return model;
  if (access == Access::guest) store_->refresh();
  while (store_->champion()) {
    if (auto model = open_champion(engine, access, listener)) {
      serve(model);
      break;
    }
  }
  if (auto model = current()) return model;
  throw store_->absence();
}

/// Null where it had to give way to another one, or to none.
std::shared_ptr<ServedModel> ServingSlot::open_champion(const EngineSource& engine, Access access,
                                                        const EventListener& listener) {
  const std::optional<StoredVersion> champion = store_->champion();
  if (!champion) return nullptr;
  const std::shared_ptr<Engine> library = engine();
  try {
    return std::make_shared<ServedModel>(champion->manifest,
                                         open_version(*library, *store_, champion->manifest));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_data && error.code() != ErrorCode::not_found) throw;
    if (access == Access::guest) store_->refresh();  // the owner may have adopted another one meanwhile
    store_->fall_back(champion->manifest.version, error.what());
    tell_troubles(*store_, listener);
    return nullptr;
  }
}

void ServingSlot::serve(std::shared_ptr<ServedModel> model) {
  const std::lock_guard lock(mutex_);
  if (!current_ || current_->version() < model->version()) current_ = std::move(model);
}

std::shared_ptr<ServedModel> ServingSlot::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void tell_troubles(ModelStore& store, const EventListener& listener) {
  for (const std::string& trouble : store.take_troubles()) {
    tell(listener, AgentEvent::Kind::model_damaged, store.task(), trouble);
  }
}

}  // namespace fl::client
