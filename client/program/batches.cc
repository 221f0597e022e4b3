#include "client/program/batches.h"

#include <utility>

#include "client/program/common.h"
#include "common/base/error.h"

namespace fl::client {
namespace {

constexpr std::size_t batch_size = 256;

}  // namespace

std::vector<PlacedExample> BatchReader::next() {
  std::vector<PlacedExample> batch;
  while (batch.size() < batch_size) {
    std::optional<Example> example = reader_->next();
    if (!example) break;
    batch.push_back({std::move(*example), reader_->where()});
    any_ = true;
  }
  if (!any_) throw no_examples_in(files_, contract_);
  return batch;
}

Examples inputs_of(const std::vector<PlacedExample>& batch) {
  const Tensor no_target{Datatype::fp32, {0}, {}};
  std::vector<Example> examples;
  for (const PlacedExample& placed : batch) examples.push_back({placed.example.inputs, no_target});
  return stack(examples);
}

Examples labelled_of(const std::vector<PlacedExample>& batch) {
  std::vector<Example> examples;
  for (const PlacedExample& placed : batch) {
    if (has_target(placed.example)) examples.push_back(placed.example);
  }
  return stack(examples);
}

void MeanEvaluation::add(const Evaluation& part) {
  if (part.examples == 0) return;
  const double share =
      static_cast<double>(part.examples) / static_cast<double>(all_.examples + part.examples);
  all_.loss += (part.loss - all_.loss) * share;
  if (part.accuracy) {
    const double before = all_.accuracy.value_or(0.0);
    all_.accuracy = before + (*part.accuracy - before) * share;
  }
  all_.examples += part.examples;
}

Evaluation evaluate_files(const std::vector<std::filesystem::path>& files, const TaskContract& contract,
                          const std::function<Evaluation(const Examples&)>& evaluate,
                          const std::function<void(std::uint64_t)>& progress) {
  BatchReader reader(files, contract, LabelPolicy::required);
  MeanEvaluation mean;
  for (auto batch = reader.next(); !batch.empty(); batch = reader.next()) {
    mean.add(evaluate(labelled_of(batch)));
    progress(mean.all().examples);
  }
  return mean.all();
}

std::string sentence_of(const Evaluation& evaluation, const TaskContract& contract) {
  const std::string on = " on " + std::to_string(evaluation.examples) + " " + examples_name(contract);
  if (evaluation.accuracy) return "accuracy " + four_digits(*evaluation.accuracy) + on;
  return "loss " + four_digits(evaluation.loss) + on;
}

}  // namespace fl::client
