#include "common/serving/served_version.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace fl::serving {
namespace {

/// The shape of the scores of a task with labels, as scores_of() makes them; none where it has none.
std::optional<Shape> scores_shape(const TaskContract& contract) {
  const auto classes = static_cast<std::int64_t>(contract.labels.size());
  const bool has_scores = contract.loss == Loss::cross_entropy || contract.loss == Loss::bce_with_logits;
  if (classes == 0 || !has_scores || contract.outputs.empty()) return std::nullopt;
  Shape shape = contract.outputs.front().shape;
  const bool is_one =
      std::all_of(shape.begin() + 1, shape.end(), [](std::int64_t size) { return size == 1; });
  if (contract.loss == Loss::bce_with_logits && is_one && classes == 2) shape = {-1, 2};
  return shape;
}

std::vector<ServedOutput> outputs_of(const TaskContract& contract) {
  std::vector<ServedOutput> outputs;
  for (const TensorSpec& spec : contract.outputs)
    outputs.push_back({spec.name, ServedOutput::Kind::given, spec.shape});
  const auto add = [&](const char* name, ServedOutput::Kind kind, Shape shape) {
    const bool is_taken = std::any_of(contract.outputs.begin(), contract.outputs.end(),
                                      [&](const TensorSpec& spec) { return spec.name == name; });
    if (!is_taken) outputs.push_back({name, kind, std::move(shape)});
  };
  const std::optional<Shape> scores = scores_shape(contract);
  if (!scores) return outputs;
  add("scores", ServedOutput::Kind::scores, *scores);
  if (*scores == Shape{-1, static_cast<std::int64_t>(contract.labels.size())})
    add("label", ServedOutput::Kind::label, {-1});
  return outputs;
}

std::vector<std::string> names_of(const std::vector<ServedOutput>& outputs) {
  std::vector<std::string> names;
  for (const ServedOutput& output : outputs) names.push_back(output.name);
  return names;
}

/// What the engine has no memory for is not the request's fault.
std::vector<Tensor> predict(Model& model, std::span<const TensorView> inputs, std::size_t outputs) {
  try {
    std::vector<Tensor> given = model.predict(inputs);
    if (given.size() == outputs) return given;
    throw Error(ErrorCode::invalid_data, "the model gave " + std::to_string(given.size()) +
                                             " outputs, its contract has " + std::to_string(outputs));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::resource_exhausted) throw;
    throw Error(ErrorCode::unavailable, error.what());
  }
}

std::vector<Batcher::Executor> executors_of(std::vector<std::unique_ptr<Model>> opened, std::size_t outputs) {
  std::vector<Batcher::Executor> executors;
  for (std::unique_ptr<Model>& each : opened) {
    executors.emplace_back(
        [model = std::shared_ptr<Model>(std::move(each)), outputs](std::span<const TensorView> inputs) {
          return predict(*model, inputs, outputs);
        });
  }
  return executors;
}

}  // namespace

ServedVersion::ServedVersion(ModelIdentity model, std::vector<std::unique_ptr<Model>> opened,
                             boost::asio::any_io_executor threads, const BatchQueue::Settings& settings,
                             std::shared_ptr<VersionMetrics> metrics)
    : model_(std::move(model)),
      outputs_(outputs_of(model_.contract)),
      output_names_(names_of(outputs_)),
      metrics_(std::move(metrics)),
      batcher_(std::move(threads), settings, executors_of(std::move(opened), model_.contract.outputs.size()),
               {[metrics = metrics_](const Batcher::Ran& ran) {
                  for (const BatchQueue::Duration wait : ran.waited) metrics->waited(wait);
                  metrics->ran(ran.examples, ran.time);
                },
                [metrics = metrics_](std::size_t examples) { metrics->set_waiting(examples); }}) {}

}  // namespace fl::serving
