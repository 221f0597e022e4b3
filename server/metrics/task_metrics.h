#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace fl::server {

struct Families;

/// What travels in bulk.
enum class Transfer : std::uint8_t {
  fp32_update,
  fp16_update,
  int8_update,
  weights,
  archive,
  fp16_weights,  ///< The difference from the weights before, as are:
  int8_weights
};

/// Where a task is.
struct TaskFigures {
  std::string_view phase;  ///< selecting, training, aggregating or finished.
  std::uint64_t round = 0;
  std::uint64_t version = 0;
  std::size_t goal = 0;     ///< Updates that the round wants.
  std::size_t waiting = 0;  ///< Devices that ask for work.
  std::size_t cohort = 0;
  std::size_t accepted = 0;    ///< Updates of the open round.
  std::size_t subscribed = 0;  ///< Connected devices of the task.
};

/// How the version did that was evaluated last.
struct TaskEvaluated {
  std::uint64_t version = 0;
  std::uint32_t devices = 0;
  std::uint64_t examples = 0;
  std::optional<double> loss;
  std::optional<double> accuracy;
};

/// One task's part of Metrics, which owns it. Any thread.
class TaskMetrics {
 public:
  TaskMetrics(Families& families, const std::string& task);
  TaskMetrics(const TaskMetrics&) = delete;
  TaskMetrics& operator=(const TaskMetrics&) = delete;
  ~TaskMetrics();

  /// `outcome` and `reason`: each one of a fixed set of words.
  void update(std::string_view outcome, std::string_view reason = "");
  /// Bytes as they come or go.
  void transferred(Transfer what, std::uint64_t bytes);
  void transfer_took(Transfer what, Seconds time);
  void fold_pass_took(Seconds time);
  /// From the last update to the published version.
  void aggregation_took(Seconds time);
  /// From the choice of the cohort to the round's end.
  void round_ended(bool committed, Seconds time);
  /// Of a round that ended: how many devices this became of, one of accepted, refused, declined, late,
  /// dropped and surplus.
  void devices_ended(std::string_view became, std::size_t count);
  void set(const TaskFigures& figures);
  /// `outcome` and `reason`: each one of a fixed set of words.
  void evaluation_report(std::string_view outcome, std::string_view reason = "");
  /// A figure that there is none of is NaN.
  void evaluated(const TaskEvaluated& figures);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fl::server
