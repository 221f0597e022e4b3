#include "client/agent/training.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "client/agent/controls.h"
#include "client/agent/describe.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/model/finite.h"

namespace fl::client {
namespace {

/// Of the offer's seed, which training draws from too.
constexpr std::uint64_t rounding_part = 0x656E636F64696E67;  // "encoding"

Examples training_examples(const Offer& offer, const ExampleStore& store) {
  Examples examples = store.load(offer.task, Side::training, offer.max_examples, offer.seed);
  if (examples.count() == 0) {
    throw Error(ErrorCode::failed_precondition, "this device has no training examples of " + offer.task);
  }
  return examples;
}

/// `before` becomes what training changed. What is personal stays here.
void subtract_from(Weights& before, const Model& model) {
  const std::span<const float> after = model.weights();
  std::transform(after.begin(), after.end(), before.begin(), before.begin(),
                 [](float trained, float untrained) { return trained - untrained; });
  for (const LayoutEntry& entry : model.layout().entries()) {
    if (entry.role != Role::personal) continue;
    const auto begin = before.begin() + static_cast<std::ptrdiff_t>(entry.offset);
    std::fill(begin, begin + static_cast<std::ptrdiff_t>(entry.count), 0.0F);
  }
}

void require_acceptable(const Weights& delta, const Layout& layout, float max_delta) {
  const auto found = first_outside(delta, max_delta);
  if (!found) return;
  const auto& entries = layout.entries();
  const auto entry = std::find_if(entries.begin(), entries.end(),
                                  [&](const LayoutEntry& each) { return *found < each.offset + each.count; });
  throw Error(ErrorCode::invalid_data, "training changed " +
                                           (entry == entries.end() ? "a weight" : entry->name) + " by " +
                                           short_number(delta[*found]) + ", the task allows " +
                                           short_number(max_delta) + "; the update is not sent");
}

void encode_into(FinishedUpdate& update, const Weights& delta, const Offer& offer) {
  update.encoding = offer.encoding;
  update.bytes.resize(encoded_bytes(offer.encoding, delta.size()));
  Random rounding(derive_seed(offer.seed, rounding_part));
  encode(offer.encoding, delta, rounding, update.bytes);
  update.hash = sha256(update.bytes);
}

/// What the server makes of the update's bytes.
Weights decoded(const FinishedUpdate& update, std::size_t elements) {
  Weights values(elements);
  decode(update.encoding, update.bytes, values);
  return values;
}

}  // namespace

std::shared_ptr<const FinishedUpdate> train(const Offer& offer, Engine& engine, const ModelStore& store,
                                            const ExampleStore& examples, const std::stop_token& stop,
                                            const std::function<void(const TrainingProgress&)>& progress) {
  const std::unique_ptr<Model> model =
      open_version(engine, store, held_manifest(store, offer.task, offer.version));
  auto update = std::make_shared<FinishedUpdate>();
  update->test = evaluate_held_out([&](const Examples& part) { return model->evaluate(part); }, examples,
                                   offer.task, stop)
                     .value_or(Evaluation());
  const Examples own = training_examples(offer, examples);
  const std::span<const float> start = std::as_const(*model).weights();
  Weights delta(start.begin(), start.end());
  std::optional<Controls> controls;
  if (offer.control_elements > 0) controls.emplace(offer, store, model->layout());
  TrainingSession session{offer.round, offer.seed};
  if (controls) session.correction = controls->correction();
  const TrainingResult result = model->train(own, offer.plan, session, [&](const TrainingProgress& step) {
    if (progress) progress(step);
    return !stop.stop_requested() && std::chrono::steady_clock::now() < offer.deadline;
  });
  if (stop.stop_requested()) return nullptr;
  if (result.cancelled) throw Error(ErrorCode::timeout, "the round ended before training did");
  subtract_from(delta, *model);
  require_acceptable(delta, model->layout(), offer.max_delta);
  if (controls) controls->append_change(delta, result.steps, offer.plan.learning_rate_at(offer.round));
  encode_into(*update, delta, offer);
  if (controls) update->control = controls->next(decoded(*update, delta.size()));
  update->task = offer.task;
  update->round = offer.round;
  update->version = offer.version;
  update->deadline = offer.deadline;
  update->layout_hash = model->layout().hash();
  update->examples = static_cast<std::uint32_t>(own.count());
  update->steps = result.steps;
  update->train_loss = result.loss;
  return update;
}

}  // namespace fl::client
