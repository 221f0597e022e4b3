// The half of a task's runner that is about updates: judging them, taking them in, recording them.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <boost/asio/post.hpp>
#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/net/run_on.h"
#include "server/fleet/task_runner.h"

namespace fl::server {

namespace asio = boost::asio;

namespace {

/// What a device says of its loss and accuracy goes into the means that the operator sees: nothing in it may
/// spoil them. NaN and -1 stand for none.
void make_plausible(ParticipantRecord& record, std::uint32_t most_examples) {
  constexpr double largest_loss = 1e9;
  constexpr std::uint64_t most_steps = 1'000'000'000'000'000;
  for (double* const loss : {&record.train_loss, &record.test_loss}) {
    const bool plausible = std::abs(*loss) <= largest_loss;
    if (!plausible) *loss = std::numeric_limits<double>::quiet_NaN();
  }
  const bool plausible = record.test_accuracy >= 0.0 && record.test_accuracy <= 1.0;
  if (!plausible) record.test_accuracy = -1.0;
  record.test_examples = std::min(record.test_examples, most_examples);
  record.steps = std::min(record.steps, most_steps);
}

/// So often a device may send what does not hash to what it announced, in a round.
constexpr int most_broken = 3;

/// Whether the same device would be refused for the same again, in this round.
bool is_final(wire::Outcome outcome) {
  switch (outcome) {
    case wire::Outcome::wrong_layout:
    case wire::Outcome::wrong_encoding:
    case wire::Outcome::wrong_length:
    case wire::Outcome::no_examples:
    case wire::Outcome::too_many_examples:
    case wire::Outcome::implausible:
      return true;
    default:
      return false;
  }
}

}  // namespace

void TaskRunner::decline(const std::string& device, std::uint64_t round, const std::string& reason) {
  if (recovering_ || !has_work(device, round)) return;
  if (round_->admission(device) != Admission::admitted) return;
  Announcement nothing;
  nothing.device = device;
  nothing.round = round;
  metrics_.update("declined");
  parts_.log->warn(
      fmt::format("task={} round={} device={}: declined: {}", task_.name, round, device, reason));
  refuse(nothing, "the device declined: " + reason, ParticipantState::declined);
}

void TaskRunner::refuse(Announcement update, const std::string& reason, ParticipantState state) {
  try {
    complete(update, state, reason);
    parts_.ledger.record_updates(task_.name, round_->number(), {update.record});
  } catch (const Error& error) {
    parts_.log->error(fmt::format("task={} round={} device={}: that it was refused cannot be recorded: {}",
                                  task_.name, update.round, update.device, error.what()));
    return;
  }
  apply(round_->update_refused(update.device));
}

Verdict TaskRunner::announced(const Announcement& update) {
  const Verdict verdict = judge(update);
  // Between two buffers there is none to record it in; the device is told all the same.
  const bool is_recorded = round_->admission(update.device) == Admission::admitted;
  if (is_final(verdict.outcome) && is_recorded) refuse(update, verdict.sentence);
  return verdict;
}

Verdict TaskRunner::judge(const Announcement& update) const {
  if (recovering_) return {wire::Outcome::server_failure, disk_trouble};
  Verdict its_round = task_.plan.round.asynchronous() ? judge_work(update) : judge_round(update);
  if (its_round.outcome != wire::Outcome::accepted) return its_round;
  return judge_what_is_said(update);
}

Verdict TaskRunner::judge_round(const Announcement& update) const {
  using wire::Outcome;
  if (update.round != round_->number()) return judge_late(update);
  switch (round_->admission(update.device)) {
    case Admission::already_accepted:
      return {Outcome::already_accepted, "the update is in the ledger"};
    case Admission::round_closed:
      return {Outcome::round_closed, "the round takes no more updates"};
    case Admission::not_selected:
      return {Outcome::not_selected, "the device is not in the round's cohort"};
    case Admission::admitted:
    case Admission::deferred:
      break;
  }
  if (update.version == latest_.version) return {Outcome::accepted, ""};
  return {Outcome::stale_version, "the round trains from version " + std::to_string(latest_.version)};
}

Verdict TaskRunner::judge_late(const Announcement& update) const {
  using wire::Outcome;
  try {
    const std::uint64_t last = update.round + task_.plan.round.server_max_staleness.value_or(0);
    if (parts_.ledger.has_accepted(task_.name, update.round, last, update.device, update.hash)) {
      return {Outcome::already_accepted, "the update is in the ledger"};
    }
  } catch (const Error&) {
    return {Outcome::server_failure, disk_trouble};
  }
  return {Outcome::round_closed, "round " + std::to_string(update.round) + " is over"};
}

Verdict TaskRunner::judge_what_is_said(const Announcement& update) const {
  using wire::Outcome;
  const RoundPlan& plan = task_.plan.round;
  if (update.layout_hash != layout_hash_) return {Outcome::wrong_layout, "the layout is not the task's"};
  if (!update.encoding_is_known) {
    return {Outcome::wrong_encoding, "this server does not know the update's encoding"};
  }
  const std::string encoding(fl::name(update.record.encoding));
  if (update.record.encoding != plan.encoding && update.record.encoding != Encoding::fp32) {
    return {Outcome::wrong_encoding, "updates of this task are not encoded as " + encoding};
  }
  const std::uint64_t length = encoded_bytes(update.record.encoding, update_elements());
  if (update.length != length) {
    return {Outcome::wrong_length,
            "a delta of this task has " + std::to_string(length) + " bytes as " + encoding};
  }
  if (update.record.examples == 0) return {Outcome::no_examples, "an update counts for at least one example"};
  if (update.record.examples > plan.max_examples) {
    return {Outcome::too_many_examples,
            "an update counts for at most " + std::to_string(plan.max_examples) + " examples"};
  }
  const AggregationRule* const rule = strategy_->rule();
  const std::string objection = rule == nullptr ? "" : rule->objection(facts_of(update.record));
  if (!objection.empty()) return {Outcome::implausible, objection};
  return {Outcome::accepted, ""};
}

UpdateCheck TaskRunner::check_of(Encoding encoding) const {
  return {encoding, update_elements(), {task_.layout.size(), largest_delta(), largest_control()}};
}

asio::awaitable<Verdict> TaskRunner::take(Announcement update, IncomingUpdate incoming,
                                          const UpdateCheck& check) {
  const auto self = shared_from_this();
  const auto finish = [&incoming, how = task_.plan.round.durability] { return incoming.finish(how); };
  const bool whole = co_await net::run_on(parts_.workers.transfers.get_executor(), finish);
  if (!whole) co_return take_broken(update);

  const auto arrival = std::make_shared<Arrival>(parts_.context, std::move(update), check.fault());
  arrivals_.push_back(arrival);
  if (arrivals_.size() == 1) asio::post(parts_.context, [self] { self->record_arrivals(); });
  co_await arrival->recorded();
  co_return arrival->verdict;
}

Verdict TaskRunner::take_broken(const Announcement& update) {
  Verdict verdict = judge(update);
  if (verdict.outcome != wire::Outcome::accepted) return verdict;
  verdict = {wire::Outcome::wrong_hash, "the bytes do not hash to what was announced"};
  if (++broken_[update.device] >= most_broken) refuse(update, verdict.sentence);
  return verdict;
}

RoundActions TaskRunner::settle(Arrival& arrival) {
  Announcement& update = arrival.update;
  arrival.verdict = judge(update);
  if (arrival.verdict.outcome != wire::Outcome::accepted) return {};
  if (!is_let_in(update.device)) {
    arrival.tell(std::make_exception_ptr(Error(ErrorCode::cancelled, "the device has gone, or was revoked")));
    return {};
  }
  arrival.counts = true;
  if (!arrival.fault) {
    complete(update, ParticipantState::accepted, "");
    return round_->update_accepted(update.device);
  }
  arrival.verdict = {arrival.fault->outcome, arrival.fault->sentence};
  complete(update, ParticipantState::refused, arrival.fault->sentence);
  return round_->update_refused(update.device);
}

// From the verdicts to the record nothing is awaited, so that what is judged is what is recorded.
void TaskRunner::record_arrivals() {
  std::vector<std::shared_ptr<Arrival>> arrivals;
  const std::uint64_t round = round_->number();
  std::vector<ParticipantRecord> records;
  RoundActions actions;
  for (const auto& arrival : std::exchange(arrivals_, {})) {
    if (put_off(arrival)) continue;
    arrivals.push_back(arrival);
    for (RoundAction& action : settle(*arrival)) actions.push_back(std::move(action));
    if (arrival->counts) records.push_back(arrival->update.record);
  }
  try {
    if (!records.empty())
      parts_.ledger.record_updates(task_.name, round, records, task_.plan.round.durability);
  } catch (const std::exception& error) {  // also when memory runs out
    // The round has counted what the ledger has not, and what it then said to the others is worth nothing.
    for (const auto& arrival : arrivals) arrival->tell(std::current_exception());
    return take_up_again(error);
  }
  for (const auto& arrival : arrivals) {
    if (arrival->counts) file(*arrival);
    arrival->tell(nullptr);
  }
  apply(actions);
}

void TaskRunner::file(const Arrival& arrival) {
  const ParticipantRecord& record = arrival.update.record;
  if (task_.plan.round.asynchronous() && !arrival.fault) {
    parts_.log->info(fmt::format(
        "task={} round={} device={}: the update of round {} counts, {} versions behind", task_.name,
        round_->number(), arrival.update.device, arrival.update.round, record.staleness));
  }
  if (!arrival.fault) return fold_->add(spooled(record));
  parts_.spool.remove(task_.name, spool_round(round_->number()), record.device, record.update_hash);
}

bool TaskRunner::is_let_in(const std::string& device) const {
  const auto found = listeners_.find(device);
  return found != listeners_.end() && found->second->is_open();
}

void TaskRunner::complete(Announcement& update, ParticipantState state, const std::string& reason) const {
  make_plausible(update.record, task_.plan.round.max_examples);
  update.record.device = update.device;
  update.record.state = state;
  update.record.reason = reason;
  update.record.at = parts_.clock.now();
  update.record.update_hash = update.hash;
  update.record.update_bytes = update.length;
  update.record.offered = update.round;
  if (state == ParticipantState::accepted) update.record.staleness = latest_.version - update.version;
}

}  // namespace fl::server
