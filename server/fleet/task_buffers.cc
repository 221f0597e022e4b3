// The part of a task's runner that only asynchronous tasks need, whose rounds are buffers.

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "common/base/error.h"
#include "server/fleet/task_runner.h"

namespace fl::server {

namespace asio = boost::asio;

namespace {

// Until a device asks again that an evaluation, for which it waited no longer for a place, does not need.
constexpr Milliseconds evaluated_retry{1'000};

}  // namespace

TaskRunner::Kept::Kept(TaskRunner& runner, const Announcement& update)
    : runner_(runner),
      file_(runner.kept_.insert(runner.parts_.spool.path(runner.task_.name, runner.spool_round(update.round),
                                                         update.device, update.hash))) {}

TaskRunner::Kept::~Kept() {
  runner_.kept_.erase(file_);
}

Verdict TaskRunner::judge_work(const Announcement& update) const {
  using wire::Outcome;
  const Admission admission = round_->admission(update.device);
  if (admission == Admission::already_accepted) {
    return {Outcome::already_accepted, "an update of the device is in the ledger"};
  }
  const std::uint64_t newest = latest_.version;
  const std::uint64_t most = task_.plan.round.server_max_staleness.value_or(0);
  const bool is_open = admission != Admission::not_selected && has_work(update.device, update.round);
  if (!is_open) {
    const Verdict late = judge_late(update);
    if (late.outcome != Outcome::round_closed) return late;
  }
  if (update.version > newest || newest - update.version > most) {
    return {Outcome::stale_version, "the update is from version " + std::to_string(update.version) +
                                        ", the newest is " + std::to_string(newest) +
                                        " and an update may be " + std::to_string(most) + " versions behind"};
  }
  if (!is_open) {
    return {Outcome::not_selected,
            "the device has no work of round " + std::to_string(update.round) + " to do any more"};
  }
  const std::uint64_t version = round_->given().at(update.device).version;
  if (update.version == version) return {Outcome::accepted, ""};
  return {Outcome::stale_version, "the device's work begins from version " + std::to_string(version)};
}

bool TaskRunner::has_work(const std::string& device, std::uint64_t round) const {
  if (!task_.plan.round.asynchronous()) return round == round_->number();
  const auto found = round_->given().find(device);
  return found != round_->given().end() && found->second.round == round;
}

GivenWorks TaskRunner::open_work() const {
  const RoundPlan& plan = task_.plan.round;
  GivenWorks given;
  if (!plan.asynchronous()) return given;
  const std::uint64_t most = *plan.server_max_staleness;
  const std::uint64_t oldest = latest_.version > most ? latest_.version - most : 1;
  const Timestamp now = parts_.clock.now();
  for (const OpenWorkRecord& work : parts_.ledger.open_work(task_.name, oldest)) {
    const Timestamp until = std::min(work.given, now) + std::chrono::seconds(plan.deadline_seconds);
    given[work.device] = {work.round, work.base_version, until};
  }
  return given;
}

BufferStart TaskRunner::start_of_round(GivenWorks given) const {
  if (finished()) given.clear();
  return {latest_.version, std::move(given)};
}

bool TaskRunner::put_off(const std::shared_ptr<Arrival>& arrival) {
  if (recovering_ || round_->admission(arrival->update.device) != Admission::deferred) return false;
  if (stopped_) {
    arrival->tell(std::make_exception_ptr(Error(ErrorCode::cancelled, "the server is about to end")));
  } else {
    arrivals_.push_back(arrival);
  }
  return true;
}

void TaskRunner::take_up_arrivals() {
  if (arrivals_.empty()) return;
  asio::post(parts_.context, [self = shared_from_this()] { self->record_arrivals(); });
}

void TaskRunner::let_waiting_evaluate() {
  if (!task_.plan.round.asynchronous() || round_->phase() != RoundPhase::training) return;
  const std::set<std::string> waiting = round_->waiting();
  for (const std::string& device : waiting) {
    if (evaluation_->consider({device, evaluated_retry, "no evaluation needs this device"}))
      round_->device_answered(device);
  }
}

void TaskRunner::prune_buffers(const std::vector<std::uint64_t>& kept) {
  std::set<std::filesystem::path> updates(kept_.begin(), kept_.end());
  for (const std::uint64_t round : kept) updates.merge(accepted_files(round));
  if (const auto open = parts_.ledger.open_round(task_.name)) updates.merge(accepted_files(open->round));
  std::set<std::string> at_work;
  for (const auto& [device, work] : round_->given()) at_work.insert(device);
  parts_.spool.keep_only(task_.name, spool_round(round_->number()), updates, at_work);
}

}  // namespace fl::server
