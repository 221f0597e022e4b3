#include "server/fleet/task_runner.h"

#include <algorithm>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"

namespace fl::server {

namespace asio = boost::asio;

namespace {

// Until a device asks again once a task has made all of its rounds.
constexpr Milliseconds rest_retry{300'000};

}  // namespace

TaskRunner::TaskRunner(const Parts& parts, TaskRecord task)
    : parts_(parts),
      task_(std::move(task)),
      metrics_(parts_.metrics.task(task_.name)),
      layout_hash_(task_.layout.hash()),
      strategy_(make_strategy(task_.plan)),
      latest_(parts_.ledger.latest_version(task_.name)),
      evaluation_(std::make_shared<TaskEvaluation>(TaskEvaluation::Parts{
          parts_.context, parts_.ledger, parts_.clock, parts_.log, metrics_, task_, listeners_})),
      wake_(parts_.context),
      settle_(parts_.context),
      retry_(parts_.context) {}

TaskRunner::~TaskRunner() = default;

void TaskRunner::start() {
  require_blobs();
  take_up_round();
  prune(true);
  evaluation_->start(latest_.version);
  let_time_pass();
}

void TaskRunner::require_blobs() const {
  const std::size_t state = strategy_->state_vectors() * task_.layout.trained_size();
  require_blob(task_.archive_hash, task_.archive_bytes);
  require_blob(latest_.weights_hash, task_.layout.size() * sizeof(float));
  if (latest_.state_hash) require_blob(*latest_.state_hash, state * sizeof(float));
}

void TaskRunner::require_blob(const Digest& hash, std::uint64_t length) const {
  const std::filesystem::path path = parts_.blobs.path(hash);
  std::error_code missing;
  const std::uintmax_t bytes = std::filesystem::file_size(path, missing);
  if (!missing && bytes == length) return;
  throw Error(ErrorCode::invalid_data, "version " + std::to_string(latest_.version) + " of the task '" +
                                           task_.name + "' needs " + path.string() + ", which is " +
                                           (missing ? "missing" : "not whole") +
                                           "; restore it from a backup");
}

void TaskRunner::take_up_round() {
  const std::vector<RoundRecord> rounds = parts_.ledger.rounds(task_.name);
  if (remembers_devices()) took_part_ = parts_.ledger.participations(task_.name);
  history_ = TaskHistory(parts_.pace.pauses);
  for (const RoundRecord& round : rounds) {
    if (round.state == RoundState::committed) history_.round_committed(round.opened, round.closed);
    if (round.state == RoundState::abandoned) history_.round_abandoned(round.closed);
  }
  if (resume_round(rounds)) return;
  open_round(rounds.empty() ? 1 : rounds.back().round + 1, open_work());
}

void TaskRunner::stop() {
  stopped_ = true;
  if (fold_ && round_->phase() != RoundPhase::aggregating) fold_->stop();
  evaluation_->stop();
  wake_.cancel();
  settle_.cancel();
  retry_.cancel();
  take_up_arrivals();
}

bool TaskRunner::resume_round(const std::vector<RoundRecord>& rounds) {
  const auto open = std::find_if(rounds.begin(), rounds.end(),
                                 [](const RoundRecord& round) { return round.state == RoundState::open; });
  if (open == rounds.end()) return false;
  std::set<std::string> cohort;
  std::set<std::string> accepted;
  std::set<std::string> refused;
  for (const ParticipantRecord& device : parts_.ledger.participants(task_.name, open->round)) {
    cohort.insert(device.device);
    if (device.state == ParticipantState::refused || device.state == ParticipantState::declined) {
      refused.insert(device.device);
    }
    if (device.state == ParticipantState::accepted) accepted.insert(device.device);
  }
  round_ = std::make_unique<Round>(Round::resume(open->round, task_.plan.round, parts_.clock.now(), cohort,
                                                 accepted, refused, start_of_round(open_work())));
  quantum_ = open->quantum;
  round_began_ = open->opened;
  refold();
  parts_.log->info(fmt::format("task={} round={}: goes on after a restart with {} of {} updates", task_.name,
                               open->round, accepted.size(), task_.plan.round.goal));
  return true;
}

Milliseconds TaskRunner::pause(Timestamp now) const {
  return task_.plan.round.asynchronous() ? Milliseconds(0) : history_.pause(now);
}

void TaskRunner::open_round(std::uint64_t number, GivenWorks given) {
  const std::set<std::string> waiting = round_ ? round_->waiting() : std::set<std::string>();
  const RoundPlan& plan = task_.plan.round;
  const Timestamp now = parts_.clock.now();
  round_ = plan.asynchronous() ? std::make_unique<Round>(number, plan, now, start_of_round(std::move(given)))
                               : std::make_unique<Round>(number, plan, now, pause(now));
  fold_.reset();
  broken_.clear();
  schedule();
  take_up_arrivals();
  for (const std::string& device : waiting) ask(device);
}

bool TaskRunner::finished() const {
  return task_.plan.round.rounds != 0 && history_.committed() >= task_.plan.round.rounds;
}

std::optional<Part> TaskRunner::part(const Digest& hash) const {
  if (hash == task_.archive_hash)
    return Part{parts_.blobs.path(hash), task_.archive_bytes, Transfer::archive};
  if (strategy_->has_controls() && hash == latest_.state_hash)
    return Part{parts_.blobs.path(hash), control_elements() * sizeof(float), Transfer::weights};
  if (latest_.difference && hash == latest_.difference->hash) return difference_part();
  if (hash != latest_.weights_hash) return std::nullopt;
  return Part{parts_.blobs.path(hash), task_.layout.size() * sizeof(float), Transfer::weights};
}

// Devices do without it where it is lost.
std::optional<Part> TaskRunner::difference_part() const {
  const Difference& difference = *latest_.difference;
  const std::filesystem::path path = parts_.blobs.path(difference.hash);
  std::error_code missing;
  const bool whole = std::filesystem::file_size(path, missing) == difference.bytes && !missing;
  if (!whole) return std::nullopt;
  return Part{path, difference.bytes,
              difference.encoding == Encoding::int8 ? Transfer::int8_weights : Transfer::fp16_weights};
}

std::string TaskRunner::state() const {
  if (finished()) return "finished: " + std::to_string(task_.plan.round.rounds) + " rounds";
  const std::string where = "round " + std::to_string(round_->number()) + " " + server::name(round_->phase());
  if (round_->phase() == RoundPhase::selecting) {
    return where + ": " + std::to_string(round_->waiting().size()) + " of " +
           std::to_string(task_.plan.round.goal) + " devices";
  }
  return where + ": " + std::to_string(round_->accepted()) + " of " + std::to_string(task_.plan.round.goal) +
         " updates";
}

void TaskRunner::measure() const {
  TaskFigures figures;
  figures.phase = finished() ? "finished" : server::name(round_->phase());
  figures.round = round_->number();
  figures.version = latest_.version;
  figures.goal = task_.plan.round.goal;
  figures.waiting = round_->waiting().size();
  figures.cohort = round_->cohort_size();
  figures.accepted = round_->accepted();
  figures.subscribed = listeners_.size();
  metrics_.set(figures);
}

void TaskRunner::subscribe(const std::string& device, TaskListener& listener) {
  listeners_[device] = &listener;
}

void TaskRunner::unsubscribe(const std::string& device, const TaskListener& listener) {
  const auto found = listeners_.find(device);
  if (found == listeners_.end() || found->second != &listener) return;
  listeners_.erase(found);
  round_->device_left(device);
  if (!round_->waiting().empty()) poke();  // it may have been the last that did not ask
  evaluation_->device_left(device);
}

void TaskRunner::ask(const std::string& device) {
  if (recovering_) {
    act(Later{device, parts_.pace.retry, disk_trouble});
    return;
  }
  if (finished()) {
    act(Later{device, rest_retry, "the task has made all of its rounds"});
    return;
  }
  const auto last = took_part_.find(device);
  round_->device_arrived(device, last == took_part_.end() ? std::nullopt : std::optional(last->second));
  poke();
}

void TaskRunner::poke() {
  const bool all_ask =
      round_->phase() == RoundPhase::selecting && round_->waiting().size() >= listeners_.size();
  if (stopped_ || (settling_ && !all_ask)) return;
  settling_ = true;
  settle_.expires_after(all_ask ? Milliseconds(0) : parts_.pace.settle);
  settle_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error) return;
    self->settling_ = false;
    self->let_time_pass();
  });
}

void TaskRunner::schedule() {
  wake_.cancel();
  const Timestamp now = parts_.clock.now();
  const std::optional<Timestamp> wake = round_->wake_after(now);
  if (!wake || stopped_) return;
  wake_.expires_after(std::max(*wake - now, Milliseconds(1)));
  wake_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->let_time_pass();
  });
}

void TaskRunner::let_time_pass() {
  if (stopped_ || recovering_) return;
  round_->crowd_is({listeners_.size(), history_.round_time()});
  apply(round_->time_passed(parts_.clock.now()));
  let_waiting_evaluate();
  take_up_arrivals();
}

void TaskRunner::apply(const RoundActions& actions) {
  if (recovering_) return;  // the round is about to be read from the ledger
  try {
    for (const RoundAction& action : actions) {
      std::visit([this](const auto& one) { act(one); }, action);
    }
    schedule();
  } catch (const std::exception& error) {  // also when memory runs out
    take_up_again(error);
  }
}

void TaskRunner::take_up_again(const std::exception& failure) {
  parts_.log->error(fmt::format("task={} round={}: {}; the round is taken up again in {} s", task_.name,
                                round_->number(), failure.what(), Seconds(parts_.pace.retry).count()));
  recover();
}

void TaskRunner::recover() {
  if (stopped_) return;
  recovering_ = true;
  wake_.cancel();
  evaluation_->forget_waiting();
  for (const auto& [device, listener] : listeners_) {
    round_->device_left(device);
    listener->work_later(task_.name, {device, parts_.pace.retry, disk_trouble});
  }
  retry_.expires_after(parts_.pace.retry);
  retry_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
    if (cancelled || self->stopped_) return;
    try {
      self->take_up_round();
    } catch (const std::exception& error) {
      self->parts_.log->error(fmt::format("task={}: {}", self->task_.name, error.what()));
      return self->recover();
    }
    self->recovering_ = false;
    self->let_time_pass();
  });
}

void TaskRunner::act(const BeginTraining& begin) {
  RoundRecord record;
  record.task = task_.name;
  record.round = round_->number();
  record.base_version = latest_.version;
  record.quantum = quantum();
  record.opened = parts_.clock.now();
  record.deadline = begin.deadline;
  parts_.spool.prepare(task_.name, spool_round(record.round));
  parts_.ledger.begin_round(record, begin.cohort);
  quantum_ = record.quantum;
  round_began_ = record.opened;
  fold_ = make_fold();
  parts_.log->info(fmt::format("task={} round={}: {} devices selected, from version {}", task_.name,
                               record.round, begin.cohort.size(), latest_.version));
}

void TaskRunner::act(const Offer& offer) {
  if (offer.joins) parts_.ledger.add_participant(task_.name, round_->number(), offer.device);
  const auto found = listeners_.find(offer.device);
  if (found == listeners_.end()) return;
  Work work;
  work.round = round_->number();
  work.version = latest_.version;
  work.plan = task_.plan.training;
  work.seed = round_->device_seed(offer.device);
  work.max_examples = task_.plan.round.max_examples;
  work.max_delta = static_cast<float>(task_.plan.round.max_delta);
  work.encoding = task_.plan.round.encoding;
  const Timestamp now = parts_.clock.now();
  work.time_left = round_->work_ends(offer.device, now) - now;
  work.max_staleness = task_.plan.round.server_max_staleness.value_or(0);
  if (strategy_->has_controls()) {
    work.control = latest_.state_hash;
    work.control_elements = control_elements();
    work.max_control = static_cast<float>(task_.plan.round.max_control());
  }
  found->second->work_offered(task_.name, work);
}

void TaskRunner::act(const Later& later) {
  if (!recovering_ && evaluation_->consider(later)) return;
  const auto found = listeners_.find(later.device);
  if (found != listeners_.end()) found->second->work_later(task_.name, later);
}

void TaskRunner::act(const Aggregate& /*aggregate*/) {
  parts_.log->info(fmt::format("task={} round={}: {} updates, aggregating", task_.name, round_->number(),
                               round_->accepted()));
  asio::co_spawn(parts_.context, [self = shared_from_this()] { return self->aggregate(); }, asio::detached);
}

void TaskRunner::act(const Abandon& abandon) {
  const Timestamp now = parts_.clock.now();
  parts_.ledger.abandon_round(task_.name, round_->number(), now, abandon.reason, endings());
  history_.round_abandoned(now);
  account_for_devices(false);
  parts_.log->warn(fmt::format("task={} round={}: abandoned, {}; the next begins in {} s at the earliest",
                               task_.name, round_->number(), abandon.reason, pause(now).count() / 1000));
  metrics_.round_ended(false, now - round_began_);
  clear_spool(round_->number());
  open_round(round_->number() + 1, round_->given());
}

}  // namespace fl::server
