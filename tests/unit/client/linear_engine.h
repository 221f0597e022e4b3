#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "client/include/fl/engine.h"

namespace fl::test {

/// An engine of a few lines that knows one kind of model, softmax regression, and needs no library: what a
/// device without libtorch could bring. An archive is the text "linear INPUTS CLASSES\n" followed by the
/// initial weights.
class LinearEngine final : public Engine {
 public:
  /// Called before each step of training, on the training thread.
  std::function<void(std::uint64_t step)> on_step;
  /// Called before training, and before opening an archive; may throw.
  std::function<void(const TrainingPlan&)> on_train;
  std::function<void()> on_open;
  /// Called before each prediction, on its thread.
  std::function<void()> on_predict;

  std::string describe() const override { return "linear"; }
  std::unique_ptr<Model> open(ByteView archive, const TaskContract& contract) override;
  Bytes build(const Architecture& architecture, std::uint64_t seed) override;

  /// Models opened so far.
  std::atomic<int> opened{0};
};

/// The contract of a task with `inputs` values and the classes "c0", "c1", …, read from CSV files with the
/// columns x0, x1, … and "label".
TaskContract linear_contract(std::int64_t inputs, std::int64_t classes);
/// The flat vector that answers class `favourite` whatever it is asked.
Weights weights_favouring(std::int64_t inputs, std::int64_t classes, std::int64_t favourite);
/// The archive with these initial weights.
Bytes linear_archive(std::int64_t inputs, std::int64_t classes, std::span<const float> weights);
Layout linear_layout(std::int64_t inputs, std::int64_t classes);

}  // namespace fl::test
