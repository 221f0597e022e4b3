#include "client/agent/agenda.h"

#include <algorithm>
#include <utility>

namespace fl::client {
namespace {

constexpr unsigned most_retries = 3;

}  // namespace

void Agenda::begin_connection() {
  for (auto& [name, task] : tasks_) {
    task.held = task.newest = 0;  // until it takes part again
    task.notice.reset();
    task.offer.reset();
    task.evaluation.reset();
    task.asked = false;
    task.ask_from = task.rest_until = Moment::min();
    task.announce_from = Moment::min();
  }
}

void Agenda::take_part(const std::string& task, std::uint64_t held) {
  tasks_[task].held = held;
}

void Agenda::newest_is(const std::string& task, std::uint64_t version) {
  tasks_[task].newest = std::max(tasks_[task].newest, version);
}

void Agenda::noticed(Notice notice) {
  Task& task = tasks_[notice.task];
  const std::uint64_t known = task.notice ? task.notice->version : 0;
  if (notice.version <= std::max({task.held, task.refused, known})) return;
  task.newest = std::max(task.newest, notice.version);
  task.ask_from = task.hold_until = Moment::min();
  task.notice = std::move(notice);
}

void Agenda::offered(Offer offer) {
  Task& task = tasks_[offer.task];
  if (!trains_ || !task.asked) return;
  task.asked = false;
  task.offer = std::move(offer);
}

void Agenda::evaluation_offered(EvaluationOffer offer) {
  Task& task = tasks_[offer.task];
  if (!trains_ || !task.asked) return;
  task.asked = false;
  task.evaluation = std::move(offer);
}

void Agenda::declined(Decline decline) {
  Task& task = tasks_[decline.task];
  task.asked = false;
  task.hold_until = Moment::max();
  task.decline = std::move(decline);
}

void Agenda::told_to_wait(const std::string& name, Moment until, bool firm) {
  Task& task = tasks_[name];
  task.asked = false;
  (firm ? task.rest_until : task.ask_from) = until;
}

void Agenda::has_examples(const std::string& task, std::uint64_t training_examples) {
  tasks_[task].examples = training_examples;
}

Agenda::Step Agenda::next(Moment now) {
  for (auto& [name, task] : tasks_) drop_dead_offers(name, task, now);
  if (auto step = refusal()) return *step;
  if (auto step = announcement(now)) return *step;
  if (auto step = adoption()) return *step;
  if (auto step = evaluation()) return *step;
  if (auto step = training()) return *step;
  if (auto step = question(now)) return *step;
  return {Step::Kind::rest, {}, next_change()};
}

bool Agenda::is_to_come(const Task& task, std::uint64_t version) {
  return task.held == version || (task.notice && task.notice->version >= version);
}

void Agenda::drop_dead_offers(const std::string& name, Task& task, Moment now) {
  if (task.offer && (task.offer->deadline <= now || !is_to_come(task, task.offer->version))) {
    // A version that this device does not hold by now it could not have: not the same offer again at once.
    if (task.offer->version > task.held) {
      task.hold_until = task.offer->deadline;
      task.decline = {name, task.offer->round, "the version to train from is not here"};
    }
    task.offer.reset();
  }
  if (task.evaluation && (task.evaluation->deadline <= now || !is_to_come(task, task.evaluation->version))) {
    if (task.evaluation->version != task.held) {
      task.decline = {name, 0, "the version to evaluate is not here", task.evaluation->evaluation};
    }
    task.evaluation.reset();
  }
}

std::optional<Agenda::Step> Agenda::refusal() const {
  for (const auto& [name, task] : tasks_) {
    if (task.decline) return Step{Step::Kind::decline, name, {}};
  }
  return std::nullopt;
}

std::optional<Agenda::Step> Agenda::announcement(Moment now) const {
  for (const auto& [name, task] : tasks_) {
    if (task.update && task.announce_from <= now) return Step{Step::Kind::announce, name, {}};
  }
  return std::nullopt;
}

std::optional<Agenda::Step> Agenda::adoption() const {
  for (const auto& [name, task] : tasks_) {
    if (task.notice) return Step{Step::Kind::adopt, name, {}};
  }
  return std::nullopt;
}

std::optional<Agenda::Step> Agenda::evaluation() const {
  for (const auto& [name, task] : tasks_) {
    if (task.evaluation) return Step{Step::Kind::evaluate, name, {}};
  }
  return std::nullopt;
}

std::optional<Agenda::Step> Agenda::training() {
  if (training_) return std::nullopt;
  for (const auto& [name, task] : tasks_) {
    if (task.offer && !task.update) return Step{Step::Kind::train, name, {}};
  }
  return std::nullopt;
}

bool Agenda::may_ask(const Task& task) const {
  const bool free =
      !training_ && !task.asked && !task.offer && !task.evaluation && !task.update && !task.notice;
  return trains_ && free && task.held > 0 && task.held >= task.newest && task.examples > 0;
}

Moment Agenda::next_question(const Task& task) {
  return std::max({task.ask_from, task.rest_until, task.hold_until});
}

std::optional<Agenda::Step> Agenda::question(Moment now) const {
  for (const auto& [name, task] : tasks_) {
    if (may_ask(task) && next_question(task) <= now) return Step{Step::Kind::ask, name, {}};
  }
  return std::nullopt;
}

Moment Agenda::next_change() const {
  Moment soonest = Moment::max();
  for (const auto& [name, task] : tasks_) {
    if (task.update) soonest = std::min(soonest, task.announce_from);
    if (may_ask(task)) soonest = std::min(soonest, next_question(task));
  }
  return soonest;
}

Decline Agenda::take_decline(const std::string& task) {
  return std::exchange(tasks_.at(task).decline, std::nullopt).value();
}

Notice Agenda::take_notice(const std::string& task) {
  Notice notice = std::move(tasks_.at(task).notice).value();
  tasks_.at(task).notice.reset();
  return notice;
}

bool Agenda::has_notice(const std::string& task) const {
  const auto found = tasks_.find(task);
  return found != tasks_.end() && found->second.notice.has_value();
}

void Agenda::adopted(const std::string& task, std::uint64_t version) {
  tasks_[task].held = version;
}

void Agenda::refused(const std::string& task, std::uint64_t version) {
  tasks_[task].refused = std::max(tasks_[task].refused, version);
}

void Agenda::asked(const std::string& task) {
  tasks_[task].asked = true;
}

EvaluationOffer Agenda::take_evaluation(const std::string& task) {
  return std::exchange(tasks_.at(task).evaluation, std::nullopt).value();
}

Offer Agenda::begin_training(const std::string& task) {
  training_ = std::move(tasks_.at(task).offer).value();
  tasks_.at(task).offer.reset();
  return *training_;
}

bool Agenda::training_is_void() const {
  return training_ &&
         tasks_.at(training_->task).newest > training_->version + std::uint64_t{training_->max_staleness};
}

void Agenda::trained(std::shared_ptr<const FinishedUpdate> update) {
  training_.reset();
  Task& task = tasks_[update->task];
  task.retries = 0;
  task.announce_from = Moment::min();
  task.update = std::move(update);
}

void Agenda::training_failed(const std::string& reason) {
  if (!training_) return;
  Task& task = tasks_[training_->task];
  // A version that came meanwhile ends the wait before it begins.
  if (!training_is_void()) {
    task.hold_until = training_->deadline;
    task.decline = {training_->task, training_->round, reason};
  }
  training_.reset();
}

void Agenda::training_given_up() {
  training_.reset();
}

std::shared_ptr<const FinishedUpdate> Agenda::update_of(const std::string& task) const {
  const auto found = tasks_.find(task);
  return found == tasks_.end() ? nullptr : found->second.update;
}

bool Agenda::settled(const std::string& name, Settlement settlement, Moment again) {
  Task& task = tasks_[name];
  if (settlement == Settlement::retry && ++task.retries < most_retries) {
    task.announce_from = again;
    return false;
  }
  const bool hold = settlement == Settlement::unwelcome || settlement == Settlement::retry;
  if (hold && task.update && task.newest <= task.update->version) task.hold_until = task.update->deadline;
  task.update.reset();
  return true;
}

}  // namespace fl::client
