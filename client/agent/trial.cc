#include "client/agent/trial.h"

#include <cmath>
#include <limits>
#include <vector>

#include "common/base/error.h"
#include "common/model/finite.h"

namespace fl::client {
namespace {

constexpr std::size_t batch = 256;

void require_finite(std::span<const float> values, const std::string& what) {
  const auto found = first_outside(values, std::numeric_limits<float>::max());
  if (!found) return;
  throw Error(ErrorCode::invalid_data, what + " " + std::to_string(*found) + " is NaN or infinite");
}

void require_finite_answers(Model& model, const Examples& examples) {
  std::vector<TensorView> inputs;
  for (const Tensor& input : examples.inputs) inputs.push_back(input.view());
  for (const Tensor& output : model.predict(inputs)) {
    require_finite(output.floats(), "on this device's held-out examples its answer's element");
  }
}

/// The mean over both parts.
void join(Evaluation& all, const Evaluation& part) {
  const auto before = static_cast<double>(all.examples);
  const auto more = static_cast<double>(part.examples);
  const auto mean = [&](double a, double b) { return (a * before + b * more) / (before + more); };
  all.loss = mean(all.loss, part.loss);
  if (part.accuracy) all.accuracy = mean(all.accuracy.value_or(0.0), *part.accuracy);
  all.examples += part.examples;
}

}  // namespace

std::unique_ptr<Model> open_version(Engine& engine, const ModelStore& store, const Manifest& manifest) {
  std::unique_ptr<Model> model = engine.open(store.read_archive(manifest), manifest.contract);
  if (model->layout().size() != manifest.weights_count || model->layout().hash() != manifest.layout_hash) {
    throw Error(ErrorCode::invalid_data, "the archive's layout is not the one in version " +
                                             std::to_string(manifest.version) + "'s manifest");
  }
  store.read_weights(manifest, model->weights());
  return model;
}

Manifest held_manifest(const ModelStore& store, const std::string& task, std::uint64_t version) {
  const std::optional<StoredVersion> champion = store.champion();
  if (champion && champion->manifest.version == version) return champion->manifest;
  throw Error(ErrorCode::failed_precondition, "this device does not hold version " + std::to_string(version) +
                                                  " of " + task + ", which the server offers work with");
}

std::optional<Evaluation> evaluate_held_out(const std::function<Evaluation(const Examples&)>& evaluate,
                                            const ExampleStore& examples, const std::string& task,
                                            const std::stop_token& stop) {
  Evaluation all;
  examples.for_each_batch(task, Side::held_out, batch, [&](const Examples& part) {
    if (stop.stop_requested()) return false;
    join(all, evaluate(part));
    return true;
  });
  if (all.examples == 0 || stop.stop_requested()) return std::nullopt;
  return all;
}

namespace {

/// On the held-out examples, where there are some. That they cannot be read or do not fit the contract is no
/// fault of the version's.
void test_on_own(TriedVersion& tried, const ExampleStore& examples, const std::string& task,
                 const std::stop_token& stop) {
  bool by_model = false;
  const auto test = [&](const Examples& part) {
    try {
      require_finite_answers(*tried.model, part);
      return tried.model->evaluate(part);
    } catch (const Error& error) {
      by_model =
          error.code() != ErrorCode::invalid_argument;  // what a model says of examples that do not fit
      throw;
    }
  };
  try {
    tried.evaluation = evaluate_held_out(test, examples, task, stop);
  } catch (const Error& error) {
    if (by_model) throw;
    tried.untested = error.what();
  }
}

}  // namespace

TriedVersion try_version(Engine& engine, const ModelStore& store, const Manifest& manifest,
                         const ExampleStore& examples, const std::stop_token& stop) {
  TriedVersion tried{open_version(engine, store, manifest), {}, {}};
  require_finite(tried.model->weights(), "its weight");
  test_on_own(tried, examples, manifest.task, stop);
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "the trial was stopped");
  if (!tried.evaluation) tried.model->try_out();
  if (tried.evaluation && !std::isfinite(tried.evaluation->loss)) {
    throw Error(ErrorCode::invalid_data, "its loss on this device's held-out examples is NaN or infinite");
  }
  return tried;
}

Verdict judge(const std::optional<Evaluation>& challenger, const std::optional<Evaluation>& champion) {
  return challenger && champion ? Verdict::accept : Verdict::abstain;
}

}  // namespace fl::client
