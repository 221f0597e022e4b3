#include <iostream>

#include "client/program/answer_rows.h"
#include "client/program/batches.h"
#include "client/program/commands.h"
#include "client/program/common.h"
#include "common/program/progress.h"
#include "common/program/text_table.h"

namespace fl::client {
namespace {

using program::Arguments;
using program::Cell;
using program::Command;
using program::exit_ok;
using program::Options;
using program::Progress;
using program::TextTable;

std::vector<Prediction> answers_to(Device& device, const std::string& task,
                                   const std::vector<PlacedExample>& batch) {
  const Examples examples = inputs_of(batch);
  std::vector<TensorView> views;
  for (const Tensor& input : examples.inputs) views.push_back(input.view());
  return device.predict(task, views);
}

void print_summary(const Evaluation& evaluation, std::uint64_t answered, const TaskContract& contract,
                   bool as_json) {
  if (as_json) {
    Cell loss;
    Cell accuracy;
    if (evaluation.examples > 0) loss = evaluation.loss;
    if (evaluation.accuracy) accuracy = *evaluation.accuracy;
    std::cout << TextTable({{"answered"}, {"labelled"}, {"accuracy"}, {"loss"}})
                     .row_json({static_cast<std::int64_t>(answered),
                                static_cast<std::int64_t>(evaluation.examples), accuracy, loss});
  } else if (evaluation.examples > 0) {
    std::cout << sentence_of(evaluation, contract) << "\n";
  } else {
    std::cout << answered << " " << examples_name(contract) << " answered\n";
  }
}

int predict(const Arguments& arguments) {
  Device device = open_as_guest(arguments);
  const std::string task = chosen_task(device, arguments);
  const TaskContract contract = device.contract(task);
  const bool as_json = arguments.has("json");
  std::optional<std::filesystem::path> output;
  if (arguments.has("output")) output = arguments.path("output");
  BatchReader reader(files_of(arguments, "FILES"), contract, LabelPolicy::optional);
  AnswerRows rows(output, as_json);
  Progress progress("predicting");
  MeanEvaluation mean;
  std::uint64_t answered = 0;
  for (auto batch = reader.next(); !batch.empty(); batch = reader.next()) {
    const std::vector<Prediction> answers = answers_to(device, task, batch);
    for (std::size_t i = 0; i < answers.size(); ++i) rows.add(batch[i], answers[i], contract);
    const Examples labelled = labelled_of(batch);
    if (labelled.count() > 0) mean.add(device.evaluate(task, labelled));
    answered += answers.size();
    if (output) progress.update(static_cast<double>(answered), 0, batch.back().where);
  }
  rows.finish();
  print_summary(mean.all(), answered, contract, as_json);
  return exit_ok;
}

}  // namespace

Command predict_command() {
  Options options = home_options();
  task_option(files_argument(options))
      .value("output", "FILE",
             "write the answers there as CSV (with --json as JSON lines) instead of printing them")
      .json();
  return {"predict", "answer every example of files with the model that serves here; no network is needed",
          "fl-client predict /var/lib/fl --task har today.csv\n"
          "fl-client predict /var/lib/fl today.csv --output answers.csv",
          options, predict};
}

}  // namespace fl::client
