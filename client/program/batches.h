#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/data/reader.h"
#include "common/engine/engine.h"
#include "common/model/contract.h"
#include "common/model/examples.h"

namespace fl::client {

/// One example of a file and where in which file it ended.
struct PlacedExample {
  Example example;
  std::string where;
};

/// Reads files in batches, in the memory of one. One thread at a time.
class BatchReader {
 public:
  BatchReader(const std::vector<std::filesystem::path>& files, const TaskContract& contract,
              LabelPolicy labels)
      : files_(files), contract_(contract), reader_(open_examples(files, contract, labels)) {}

  /// The next examples, at most 256; none after the last. Throws Error as ExampleReader does, and
  /// Error(invalid_data) where there is not one in all the files.
  std::vector<PlacedExample> next();

 private:
  std::vector<std::filesystem::path> files_;
  TaskContract contract_;
  std::unique_ptr<ExampleReader> reader_;
  bool any_ = false;
};

/// The inputs of all of them, stacked, without their targets.
Examples inputs_of(const std::vector<PlacedExample>& batch);
/// Those that came with their targets, stacked.
Examples labelled_of(const std::vector<PlacedExample>& batch);

/// The mean of evaluations of several batches.
class MeanEvaluation {
 public:
  void add(const Evaluation& part);
  const Evaluation& all() const { return all_; }

 private:
  Evaluation all_;
};

/// Evaluates on every labelled example of `files`, batch by batch; `progress` is told how many were done.
Evaluation evaluate_files(const std::vector<std::filesystem::path>& files, const TaskContract& contract,
                          const std::function<Evaluation(const Examples&)>& evaluate,
                          const std::function<void(std::uint64_t)>& progress);

/// "accuracy 0.8231 on 412 windows", or the loss where the task has no accuracy.
std::string sentence_of(const Evaluation& evaluation, const TaskContract& contract);

}  // namespace fl::client
