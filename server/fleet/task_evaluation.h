#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/logger.h>

#include "common/base/clock.h"
#include "server/fleet/arrival.h"
#include "server/ledger/ledger.h"
#include "server/metrics/metrics.h"
#include "server/round/evaluation.h"

namespace fl::server {

class TaskListener;

/// A device's work in an evaluation.
struct EvaluationWork {
  std::uint64_t evaluation = 0;
  std::uint64_t version = 0;
  Milliseconds time_left{};
};

/// What a device reports of a version on its held-out examples: counts and sums.
struct Report {
  std::uint64_t evaluation = 0;
  std::uint64_t version = 0;
  EvaluatorRecord record;  ///< What the ledger keeps of it.
};

/// Runs the evaluations of one task's versions by devices: carries events to the pure VersionEvaluation, and
/// its actions to ledger and devices. At most one is open, that of the newest version that is due.
///
/// Everything on the one thread of `context`. Always held by shared_ptr: its timers keep it alive. What it
/// refers to, its task's listeners too, outlives stop().
class TaskEvaluation : public std::enable_shared_from_this<TaskEvaluation> {
 public:
  struct Parts {
    boost::asio::io_context& context;
    Ledger& ledger;
    const Clock& clock;
    std::shared_ptr<spdlog::logger> log;
    TaskMetrics& metrics;
    const TaskRecord& task;
    const std::map<std::string, TaskListener*>& listeners;  ///< The task's, by device.
  };

  explicit TaskEvaluation(const Parts& parts);

  /// Takes up the evaluation that was open when the server stopped, or that of the newest version where it is
  /// due. Call once. Throws Error as the ledger does.
  void start(std::uint64_t newest);
  void stop();

  /// Another version is the newest.
  void version_published(std::uint64_t version);
  /// A device asks that the round tells to come again later. True: it is told that, or offered an evaluation,
  /// soon; false: it is of no use here.
  bool consider(const Later& later);
  /// What devices wait for is answered by others; they wait no longer.
  void forget_waiting();
  void device_left(const std::string& device);

  /// Takes a device's report in. When it returns accepted the report is in the ledger.
  Verdict take(Report report);
  /// A device says that it cannot do this evaluation.
  void decline(const std::string& device, std::uint64_t evaluation, const std::string& reason);

 private:
  void take_up();
  void open(std::uint64_t number);
  void resume(const EvaluationRecord& record);
  void let_time_pass();
  void schedule();
  void apply(const EvaluationActions& actions);
  /// Carries out `change`; where the ledger fails, the evaluation is taken up from it a little later.
  template <typename Change>
  bool guarded(Change change);
  void recover(const std::string& failure);
  void act(const BeginEvaluation& begin);
  void act(const AddEvaluators& more);
  void act(const OfferEvaluation& offer);
  void act(const TurnAway& away);
  void act(const EndEvaluation& end);
  void turn_all_away();
  /// Whether a report may be made; accepted: it may.
  Verdict judge(const Report& report) const;
  void refuse(const std::string& device, const std::string& reason);

  Parts parts_;
  const EvaluationPlan& plan_;
  std::uint64_t newest_ = 0;
  std::optional<VersionEvaluation> evaluation_;
  EvaluationRecord record_;              ///< Of the evaluation that is open.
  std::map<std::string, Later> laters_;  ///< What those are told who wait and are not chosen.
  boost::asio::steady_timer wake_;
  boost::asio::steady_timer settle_;
  bool settling_ = false;
  bool recovering_ = false;
  bool stopped_ = false;
};

}  // namespace fl::server
