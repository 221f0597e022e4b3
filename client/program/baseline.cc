#include <iostream>

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

constexpr std::int64_t most_epochs = 100'000;

/// How both models did on one set of examples.
struct Comparison {
  std::string data;
  Evaluation alone;
  Evaluation federated;
};

Cell score_of(const Evaluation& evaluation) {
  if (evaluation.examples == 0) return {};
  return evaluation.accuracy.value_or(evaluation.loss);
}

std::unique_ptr<Model> train_alone(Device& device, const std::string& task, std::uint32_t epochs) {
  Progress progress("training alone");
  return device.train_alone(task, epochs, [&](const TrainingProgress& step) {
    progress.update(static_cast<double>(step.step), static_cast<double>(step.steps));
    return true;
  });
}

Comparison compare_on_files(Device& device, const std::string& task, Model& alone,
                            const std::vector<std::filesystem::path>& files) {
  const TaskContract contract = device.contract(task);
  Progress progress("testing");
  const auto report = [&](std::uint64_t done) { progress.update(static_cast<double>(done), 0); };
  Comparison comparison{"files", {}, {}};
  comparison.alone =
      evaluate_files(files, contract, [&](const Examples& batch) { return alone.evaluate(batch); }, report);
  comparison.federated = evaluate_files(
      files, contract, [&](const Examples& batch) { return device.evaluate(task, batch); }, report);
  return comparison;
}

int baseline(const Arguments& arguments) {
  Device device = open_as_guest(arguments);
  const std::string task = chosen_task(device, arguments);
  const std::vector<std::filesystem::path> files = files_of(arguments, "data");
  const auto epochs = static_cast<std::uint32_t>(arguments.integer("epochs", 1, most_epochs));
  const std::unique_ptr<Model> alone = train_alone(device, task, epochs);
  std::vector<Comparison> comparisons;
  if (!files.empty()) comparisons.push_back(compare_on_files(device, task, *alone, files));
  comparisons.push_back(
      {"own held-out", device.evaluate_held_out(task, *alone), device.evaluate_held_out(task)});
  const bool accuracy = comparisons.front().federated.accuracy.has_value();
  TextTable table({{"data"}, {"examples"}, {"measure"}, {"alone"}, {"federated"}});
  for (const Comparison& each : comparisons) {
    table.add({each.data, static_cast<std::int64_t>(each.alone.examples),
               std::string(accuracy ? "accuracy" : "loss"), score_of(each.alone), score_of(each.federated)});
  }
  std::cout << (arguments.has("json") ? table.json() : table.text());
  return exit_ok;
}

}  // namespace

Command baseline_command() {
  Options options = home_options();
  task_option(options)
      .value("epochs", "N", "how many epochs to train alone", "20")
      .values("data", "FILES", "labelled files to compare on, besides the examples held out on this device")
      .json();
  return {"baseline",
          "what the device would have without the federation: train on its examples alone and compare",
          "fl-client baseline /var/lib/fl --task har --epochs 20 --data another-person.csv", options,
          baseline};
}

}  // namespace fl::client
