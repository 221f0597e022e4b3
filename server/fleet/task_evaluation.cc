#include "server/fleet/task_evaluation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "server/fleet/evaluation_summary.h"
#include "server/fleet/task_runner.h"

namespace fl::server {
namespace {

// Devices that the round turns away within this time are chosen from together.
constexpr Milliseconds settle_time{50};
// Until an evaluation is taken up again whose events the ledger could not record.
constexpr std::chrono::seconds recovery_time{5};
constexpr const char* disk_trouble = "the server has trouble with its disk";

/// What is wrong with what a report says; accepted: nothing.
Verdict fault_of(const EvaluatorRecord& report) {
  using wire::Outcome;
  if (report.examples == 0) return {Outcome::no_examples, "a report is of at least one example"};
  if (report.examples > most_reported_examples) {
    return {Outcome::too_many_examples,
            "a report is of at most " + std::to_string(most_reported_examples) + " examples"};
  }
  if (!std::isfinite(report.loss_sum)) return {Outcome::not_finite, "the sum of the losses is not finite"};
  const auto examples = static_cast<double>(report.examples);
  if (std::abs(report.loss_sum) > examples * largest_reported_loss) {
    return {Outcome::implausible, "the sum of the losses is too large for so many examples"};
  }
  const double correct = report.correct.value_or(0.0);
  const bool possible = correct >= 0.0 && correct <= examples;  // false for NaN
  if (!possible) {
    return {Outcome::implausible, "of the examples, from none to all are answered right"};
  }
  return {Outcome::accepted, ""};
}

/// In the means a device counts for as many examples as it may in a round, so that none decides them alone.
void bound_weight(EvaluatorRecord& report, std::uint64_t most_examples) {
  if (report.examples <= most_examples) return;
  const double share = static_cast<double>(most_examples) / static_cast<double>(report.examples);
  report.examples = most_examples;
  report.loss_sum *= share;
  if (report.correct) report.correct = std::min(*report.correct * share, static_cast<double>(most_examples));
}

TaskEvaluated figures_of(const EvaluationRecord& ended) {
  TaskEvaluated figures;
  figures.version = ended.version;
  figures.devices = ended.summary.devices;
  figures.examples = ended.summary.examples;
  figures.loss = ended.summary.loss;
  figures.accuracy = ended.summary.accuracy;
  return figures;
}

std::string text_of(const EvaluationSummary& summary) {
  std::string text = fmt::format("{} devices, {} examples", summary.devices, summary.examples);
  if (summary.loss) text += fmt::format(", loss {:.4f}", *summary.loss);
  if (summary.accuracy) text += fmt::format(", accuracy {:.4f}", *summary.accuracy);
  return text;
}

}  // namespace

TaskEvaluation::TaskEvaluation(const Parts& parts)
    : parts_(parts), plan_(parts_.task.plan.evaluation), wake_(parts_.context), settle_(parts_.context) {}

void TaskEvaluation::start(std::uint64_t newest) {
  newest_ = newest;
  take_up();
  let_time_pass();
}

void TaskEvaluation::stop() {
  stopped_ = true;
  wake_.cancel();
  settle_.cancel();
}

void TaskEvaluation::take_up() {
  if (plan_.every == 0) return;
  turn_all_away();
  evaluation_.reset();
  recovering_ = false;
  const std::vector<EvaluationRecord> all =
      parts_.ledger.evaluations(parts_.task.name, 0, std::numeric_limits<std::uint32_t>::max());
  const auto ended = std::find_if(all.rbegin(), all.rend(), [](const EvaluationRecord& record) {
    return record.state != EvaluationState::open;
  });
  if (ended != all.rend()) parts_.metrics.evaluated(figures_of(*ended));
  const EvaluationRecord last = all.empty() ? EvaluationRecord() : all.back();
  if (!all.empty() && last.state == EvaluationState::open) resume(last);
  if (!evaluation_ && plan_.is_due(newest_) && last.version < newest_) open(last.evaluation + 1);
}

void TaskEvaluation::open(std::uint64_t number) {
  record_ = {};
  record_.task = parts_.task.name;
  record_.evaluation = number;
  record_.version = newest_;
  evaluation_.emplace(number, newest_, plan_, parts_.task.plan.round.seed);
}

void TaskEvaluation::resume(const EvaluationRecord& record) {
  std::set<std::string> selected;
  std::set<std::string> reported;
  std::set<std::string> refused;
  for (const EvaluatorRecord& device : parts_.ledger.evaluators(record.task, record.evaluation)) {
    selected.insert(device.device);
    if (device.state == EvaluatorState::reported) reported.insert(device.device);
    if (device.state == EvaluatorState::refused) refused.insert(device.device);
  }
  record_ = record;
  const VersionEvaluation fresh(record.evaluation, record.version, plan_, parts_.task.plan.round.seed);
  evaluation_ = VersionEvaluation::resume(fresh, parts_.clock.now(), selected, reported, refused);
  parts_.log->info(fmt::format("task={} evaluation={}: of version {}, goes on with {} of {} reports",
                               record.task, record.evaluation, record.version, reported.size(), plan_.goal));
  if (newest_ > record.version) apply(evaluation_->version_published(plan_.is_due(newest_)));
}

void TaskEvaluation::version_published(std::uint64_t version) {
  newest_ = version;
  if (evaluation_) apply(evaluation_->version_published(plan_.is_due(version)));
  if (plan_.is_due(version)) guarded([this] { take_up(); });
}

bool TaskEvaluation::consider(const Later& later) {
  const auto listener = parts_.listeners.find(later.device);
  if (stopped_ || !evaluation_ || listener == parts_.listeners.end()) return false;
  if (!listener->second->evaluates() || !evaluation_->has_use_for(later.device)) return false;
  evaluation_->device_arrived(later.device);
  laters_.insert_or_assign(later.device, later);
  if (std::exchange(settling_, true)) return true;
  settle_.expires_after(settle_time);
  settle_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    self->settling_ = false;
    self->let_time_pass();
  });
  return true;
}

void TaskEvaluation::forget_waiting() {
  for (const auto& [device, later] : std::exchange(laters_, {})) {
    if (evaluation_) evaluation_->device_left(device);
  }
}

void TaskEvaluation::turn_all_away() {
  while (!laters_.empty()) act(TurnAway{laters_.begin()->first});
}

void TaskEvaluation::device_left(const std::string& device) {
  laters_.erase(device);
  if (evaluation_) evaluation_->device_left(device);
}

void TaskEvaluation::let_time_pass() {
  if (!stopped_ && evaluation_) apply(evaluation_->time_passed(parts_.clock.now()));
}

void TaskEvaluation::schedule() {
  wake_.cancel();
  const Timestamp now = parts_.clock.now();
  const std::optional<Timestamp> wake = evaluation_ ? evaluation_->wake_after(now) : std::nullopt;
  if (!wake || stopped_) return;
  wake_.expires_after(std::max(*wake - now, Milliseconds(1)));
  wake_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
    if (!cancelled) self->let_time_pass();
  });
}

void TaskEvaluation::apply(const EvaluationActions& actions) {
  const bool done = guarded([&] {
    for (const EvaluationAction& action : actions) {
      std::visit([this](const auto& one) { act(one); }, action);
    }
  });
  if (!done) return;
  if (evaluation_->has_ended()) evaluation_.reset();
  schedule();
}

template <typename Change>
bool TaskEvaluation::guarded(Change change) {
  try {
    change();
    return true;
  } catch (const std::exception& error) {  // also when memory runs out
    recover(error.what());
    return false;
  }
}

void TaskEvaluation::recover(const std::string& failure) {
  parts_.log->error(fmt::format("task={} evaluation={}: {}; it is taken up again in {} s", parts_.task.name,
                                record_.evaluation, failure, recovery_time.count()));
  turn_all_away();
  evaluation_.reset();
  recovering_ = true;
  if (stopped_) return;
  wake_.expires_after(recovery_time);
  wake_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
    if (cancelled || self->stopped_) return;
    if (self->guarded([&] { self->take_up(); })) self->let_time_pass();
  });
}

void TaskEvaluation::act(const BeginEvaluation& begin) {
  record_.opened = parts_.clock.now();
  record_.deadline = begin.deadline;
  parts_.ledger.begin_evaluation(record_, begin.devices);
  parts_.log->info(fmt::format("task={} evaluation={}: {} devices selected, of version {}", record_.task,
                               record_.evaluation, begin.devices.size(), record_.version));
}

void TaskEvaluation::act(const AddEvaluators& more) {
  parts_.ledger.add_evaluators(record_.task, record_.evaluation, more.devices, parts_.clock.now());
}

void TaskEvaluation::act(const OfferEvaluation& offer) {
  laters_.erase(offer.device);
  const auto found = parts_.listeners.find(offer.device);
  if (found == parts_.listeners.end()) return;
  const EvaluationWork work{record_.evaluation, record_.version,
                            evaluation_->deadline() - parts_.clock.now()};
  found->second->evaluation_offered(parts_.task.name, work);
}

void TaskEvaluation::act(const TurnAway& away) {
  const auto later = laters_.extract(away.device);
  const auto found = parts_.listeners.find(away.device);
  if (later.empty() || found == parts_.listeners.end()) return;
  found->second->work_later(parts_.task.name, later.mapped());
}

void TaskEvaluation::act(const EndEvaluation& end) {
  EvaluationRecord ended = record_;
  ended.state = end.complete ? EvaluationState::complete : EvaluationState::incomplete;
  ended.closed = parts_.clock.now();
  ended.reason = end.reason;
  ended.summary = summarise(parts_.ledger.evaluators(ended.task, ended.evaluation));
  parts_.ledger.close_evaluation(ended);
  parts_.metrics.evaluated(figures_of(ended));
  parts_.log->info(fmt::format("task={} evaluation={}: of version {}, {}{}: {}", ended.task, ended.evaluation,
                               ended.version, name(ended.state), end.reason.empty() ? "" : ", " + end.reason,
                               text_of(ended.summary)));
}

Verdict TaskEvaluation::judge(const Report& report) const {
  using wire::Outcome;
  if (recovering_) return {Outcome::server_failure, disk_trouble};
  if (!evaluation_ || report.evaluation != evaluation_->number()) {
    return {Outcome::round_closed, "evaluation " + std::to_string(report.evaluation) + " is over"};
  }
  switch (evaluation_->admission(report.record.device)) {
    case Admission::already_accepted:
      return {Outcome::already_accepted, "the report is in the ledger"};
    case Admission::round_closed:
      return {Outcome::round_closed, "the evaluation takes no more reports"};
    case Admission::not_selected:
      return {Outcome::not_selected, "the device was not chosen for the evaluation"};
    case Admission::admitted:
    case Admission::deferred:
      break;
  }
  if (report.version == evaluation_->version()) return {Outcome::accepted, ""};
  return {Outcome::stale_version, "the evaluation is of version " + std::to_string(evaluation_->version())};
}

Verdict TaskEvaluation::take(Report report) {
  Verdict verdict = judge(report);
  if (verdict.outcome != wire::Outcome::accepted) return verdict;
  const std::string device = report.record.device;
  if (Verdict fault = fault_of(report.record); fault.outcome != wire::Outcome::accepted) {
    refuse(device, fault.sentence);
    return fault;
  }
  bound_weight(report.record, parts_.task.plan.round.max_examples);
  report.record.state = EvaluatorState::reported;
  report.record.at = parts_.clock.now();
  const bool recorded = guarded([&] {
    parts_.ledger.record_report(record_.task, record_.evaluation, report.record,
                                parts_.task.plan.round.durability);
  });
  if (!recorded) return {wire::Outcome::server_failure, disk_trouble};
  apply(evaluation_->reported(device));
  return verdict;
}

void TaskEvaluation::decline(const std::string& device, std::uint64_t evaluation, const std::string& reason) {
  if (!evaluation_ || evaluation != evaluation_->number()) return;
  if (evaluation_->admission(device) != Admission::admitted) return;
  parts_.metrics.evaluation_report("declined");
  parts_.log->info(
      fmt::format("task={} evaluation={} device={}: declined: {}", record_.task, evaluation, device, reason));
  refuse(device, "the device declined: " + reason);
}

void TaskEvaluation::refuse(const std::string& device, const std::string& reason) {
  EvaluatorRecord refused;
  refused.device = device;
  refused.state = EvaluatorState::refused;
  refused.reason = reason;
  refused.at = parts_.clock.now();
  const auto record = [&] { parts_.ledger.record_report(record_.task, record_.evaluation, refused); };
  if (guarded(record)) apply(evaluation_->refused(device));
}

}  // namespace fl::server
