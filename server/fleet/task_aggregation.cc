// The half of a task's runner that makes the next version: folding, the strategy, publishing.

#include <algorithm>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/net/run_on.h"
#include "server/fleet/task_runner.h"

namespace fl::server {

namespace asio = boost::asio;

namespace {

// Until a round whose updates cannot be read is given up, where the disk does not say that they are lost.
constexpr int most_fold_tries = 12;
// Of a round's seed: what versions are rounded by.
constexpr std::uint64_t rounding_part = 0x646F776E6C6F6164;  // "download"
// Of the workers, for one pass over the updates of a task.
constexpr std::size_t fold_threads = 2;

}  // namespace

float TaskRunner::largest_delta() const {
  return largest_decoded(task_.plan.round.encoding, static_cast<float>(task_.plan.round.max_delta));
}

float TaskRunner::largest_control() const {
  return largest_decoded(task_.plan.round.encoding, static_cast<float>(task_.plan.round.max_control()));
}

std::size_t TaskRunner::control_elements() const {
  return strategy_->has_controls() ? task_.layout.trained_size() : 0;
}

float TaskRunner::largest_element() const {
  return strategy_->has_controls() ? std::max(largest_delta(), largest_control()) : largest_delta();
}

double TaskRunner::quantum() const {
  const RoundPlan& plan = task_.plan.round;
  return fold_quantum(plan.goal, strategy_->weight(plan.max_examples), largest_element());
}

std::shared_ptr<RoundFold> TaskRunner::make_fold() const {
  const std::size_t first = strategy_->rule() == nullptr ? 0 : task_.layout.trained_size();
  return std::make_shared<RoundFold>(parts_.workers.models, fold_threads,
                                     ExactFold(update_elements() - first, quantum_, largest_element()), first,
                                     [&metrics = metrics_](Seconds time) { metrics.fold_pass_took(time); });
}

SpooledUpdate TaskRunner::spooled(const ParticipantRecord& record) const {
  return {parts_.spool.path(task_.name, spool_round(round_->number()), record.device, record.update_hash),
          record.encoding,
          strategy_->stale_weight(record.examples, record.staleness),
          {}};
}

asio::awaitable<void> TaskRunner::aggregate() {
  const Stopwatch stopwatch;
  std::shared_ptr<RoundFold> fold = co_await folded(false);
  while (fold && !stopped_) {
    std::string failure;
    std::optional<VersionRecord> version;
    try {
      const ExactFold* const sum = co_await fold->sum();
      version = co_await make_version(*sum);
    } catch (const std::exception& error) {  // also when memory runs out
      failure = error.what();
    }
    if (version) {
      metrics_.aggregation_took(stopwatch.passed());
      publish(*version);
      co_return;
    }
    if (strategy_->rule() != nullptr) {  // which reads the updates: folding anew tells whether one is lost
      fold.reset();
      fold = co_await folded(true);
      if (!fold) co_return;
    }
    co_await pause_before_another_try(failure);
  }
}

asio::awaitable<std::shared_ptr<RoundFold>> TaskRunner::folded(bool anew) {
  for (int tries = 1; !stopped_; ++tries) {
    bool lost = tries == most_fold_tries;
    std::string failure;
    try {
      if (anew || tries > 1) refold();
      std::shared_ptr<RoundFold> fold = fold_;  // held, whatever happens to the round meanwhile
      co_await fold->sum();
      co_return fold;
    } catch (const Error& error) {
      failure = error.what();
      lost = lost || error.code() == ErrorCode::invalid_data || error.code() == ErrorCode::not_found;
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (stopped_) break;
    if (lost) {
      apply(round_->failed("acknowledged updates cannot be read any more: " + failure));
      break;
    }
    co_await pause_before_another_try(failure);
  }
  co_return nullptr;
}

asio::awaitable<void> TaskRunner::pause_before_another_try(const std::string& failure) {
  parts_.log->error(
      fmt::format("task={} round={}: the new version could not be written and will be tried again: {}",
                  task_.name, round_->number(), failure));
  retry_.expires_after(parts_.pace.retry);
  boost::system::error_code cancelled;
  co_await retry_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

asio::awaitable<VersionRecord> TaskRunner::make_version(const ExactFold& sum) {
  std::vector<RoundUpdate> updates;
  if (strategy_->rule() != nullptr) updates = accepted_updates();
  auto average = [this, &sum, base = BaseVersion{latest_.weights_hash, latest_.state_hash},
                  given = std::move(updates), difference = difference_plan(),
                  kept = updates_to_keep()]() mutable {
    parts_.spool.sync(kept);
    return next_version(sum, base, std::move(given), difference);
  };
  const RoundResult next = co_await net::run_on(parts_.workers.models.get_executor(), std::move(average));
  co_return parts_.registry.commit_round(task_.name, round_->number(), next, parts_.clock.now(), endings());
}

std::set<std::filesystem::path> TaskRunner::updates_to_keep() const {
  const RoundPlan& plan = task_.plan.round;
  const bool are_synced = plan.durability == Durability::fsync;
  return are_synced || plan.keep_updates == KeepCount{0} ? std::set<std::filesystem::path>()
                                                         : accepted_files(round_->number());
}

RoundResult TaskRunner::next_version(const ExactFold& sum, const BaseVersion& base,
                                     std::vector<RoundUpdate> updates,
                                     const DifferencePlan& difference) const {
  const AggregationRule* const rule = strategy_->rule();
  if (rule == nullptr)
    return make_next_version(parts_.blobs, base, task_.layout, *strategy_, sum, nullptr, difference);
  const RoundUpdates surveyed(
      parts_.workers.models, *rule, std::move(updates),
      {task_.layout.size(), task_.layout.trained_size(), sum.max_delta(), fold_threads});
  return make_next_version(parts_.blobs, base, task_.layout, *strategy_, sum, &surveyed, difference);
}

DifferencePlan TaskRunner::difference_plan() const {
  const RoundPlan& plan = task_.plan.round;
  return {plan.download_encoding, derive_seed(derive_seed(plan.seed, round_->number()), rounding_part)};
}

std::vector<RoundUpdate> TaskRunner::accepted_updates() const {
  std::vector<RoundUpdate> updates;
  for (const ParticipantRecord& device : parts_.ledger.participants(task_.name, round_->number())) {
    if (device.state != ParticipantState::accepted) continue;
    updates.push_back(
        {device.device,
         parts_.spool.path(task_.name, spool_round(round_->number()), device.device, device.update_hash),
         device.encoding, facts_of(device)});
  }
  return updates;
}

void TaskRunner::refold() {
  fold_.reset();  // before there is another: each takes twice the model's memory
  fold_ = make_fold();
  for (const ParticipantRecord& device : parts_.ledger.participants(task_.name, round_->number())) {
    if (device.state != ParticipantState::accepted) continue;
    SpooledUpdate update = spooled(device);
    update.unverified = device.update_hash;
    fold_->add(std::move(update));
  }
}

void TaskRunner::publish(const VersionRecord& version) {
  const std::uint64_t number = round_->number();
  round_->committed();
  history_.round_committed(round_began_, version.published);
  account_for_devices(true);
  latest_ = version;
  metrics_.round_ended(true, parts_.clock.now() - round_began_);
  parts_.log->info(fmt::format("task={} round={}: committed as version {} with {} updates", task_.name,
                               number, version.version, round_->accepted()));
  open_round(number + 1, round_->given());
  evaluation_->version_published(version.version);
  prune(false);
  for (const auto& [device, listener] : listeners_) listener->version_published(version);
}

void TaskRunner::clear_spool(std::uint64_t round) {
  try {
    if (task_.plan.round.asynchronous()) return prune_updates();  // the folder is other rounds' too
    parts_.spool.remove_round(task_.name, round);
  } catch (const Error& error) {
    parts_.log->warn(fmt::format("task={} round={}: its updates could not be removed: {}", task_.name, round,
                                 error.what()));
  }
}

}  // namespace fl::server
