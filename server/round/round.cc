#include "server/round/round.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/digest.h"
#include "common/base/random.h"
#include "server/round/selection.h"

namespace fl::server {
namespace {

constexpr Milliseconds shortest_retry{1'000};
constexpr Milliseconds longest_retry{60'000};

/// For devices beyond the goal, once the goal is there.
constexpr Milliseconds patience{2'000};

Milliseconds seconds(std::uint32_t count) {
  return std::chrono::seconds(count);
}

/// A seed of the device's own in a task.
std::uint64_t device_seed_of(std::uint64_t task_seed, const std::string& device) {
  const Digest digest = sha256(as_bytes(device));
  std::uint64_t part = 0;
  for (std::size_t i = 0; i < 8; ++i) part = part << 8U | std::to_integer<std::uint64_t>(digest.bytes.at(i));
  return derive_seed(task_seed, part);
}

}  // namespace

const char* name(RoundPhase phase) {
  switch (phase) {
    case RoundPhase::selecting:
      return "selecting";
    case RoundPhase::training:
      return "training";
    case RoundPhase::aggregating:
      return "aggregating";
    case RoundPhase::committed:
      return "committed";
    case RoundPhase::abandoned:
      return "abandoned";
  }
  return "unknown";
}

Round::Round(std::uint64_t number, const RoundPlan& plan, Timestamp opened, Milliseconds pause)
    : number_(number), plan_(plan), opened_(opened), pause_(pause) {}

Round::Round(std::uint64_t number, const RoundPlan& plan, Timestamp opened, BufferStart start)
    : number_(number), plan_(plan), opened_(opened), version_(start.version), given_(std::move(start.given)) {
  std::erase_if(given_, [this](const auto& entry) {
    return version_ - entry.second.version > plan_.server_max_staleness.value_or(0);
  });
}

Round Round::resume(std::uint64_t number, const RoundPlan& plan, Timestamp now,
                    const std::set<std::string>& cohort, const std::set<std::string>& accepted,
                    const std::set<std::string>& refused, BufferStart start) {
  Round round(number, plan, now, std::move(start));
  round.phase_ = RoundPhase::training;
  round.deadline_ = now + seconds(plan.deadline_seconds);
  for (const std::string& device : cohort) round.cohort_[device] = Member::away;
  for (const std::string& device : accepted) round.cohort_[device] = Member::accepted;
  for (const std::string& device : refused) round.cohort_[device] = Member::refused;
  return round;
}

std::uint64_t Round::device_seed(const std::string& device) const {
  return device_seed_of(derive_seed(plan_.seed, number_), device);
}

std::size_t Round::wanted() const {
  // In double 10 × 1.1 is slightly more than 11, which is what was meant.
  constexpr double rounding = 1e-6;
  return static_cast<std::size_t>(std::ceil(plan_.goal * plan_.over_selection - rounding));
}

Timestamp Round::pause_ends(Timestamp now) const {
  return std::min(opened_, now) + pause_;
}

Timestamp Round::patience_ends(Timestamp now) const {
  return goal_waits_ ? std::min(*goal_waits_, now) + patience : Timestamp::max();
}

Timestamp Round::selection_ends(Timestamp now) const {
  return std::min(opened_, now) + seconds(plan_.selection_seconds);
}

Timestamp Round::training_ends(Timestamp now) const {
  return std::min(deadline_, now + seconds(plan_.deadline_seconds));
}

Timestamp Round::work_ends(Timestamp now) const {
  return plan_.asynchronous() ? now + seconds(plan_.deadline_seconds) : deadline_;
}

std::size_t Round::count(Member member) const {
  return static_cast<std::size_t>(std::count_if(
      cohort_.begin(), cohort_.end(), [member](const auto& entry) { return entry.second == member; }));
}

void Round::device_arrived(const std::string& device, std::optional<Timestamp> took_part) {
  waiting_.insert(device);
  took_part_.erase(device);
  if (took_part) took_part_[device] = *took_part;
}

void Round::device_left(const std::string& device) {
  waiting_.erase(device);
  if (phase_ != RoundPhase::training) return;
  const auto found = cohort_.find(device);
  if (found != cohort_.end() && found->second == Member::working) found->second = Member::away;
}

RoundActions Round::update_accepted(const std::string& device) {
  return conclude(device, Member::accepted);
}

RoundActions Round::update_refused(const std::string& device) {
  return conclude(device, Member::refused);
}

RoundActions Round::conclude(const std::string& device, Member member) {
  if (given_.erase(device) > 0) cohort_.try_emplace(device);  // perhaps the work of a buffer before
  cohort_.at(device) = member;
  return aggregate_if_complete();
}

RoundActions Round::time_passed(Timestamp now) {
  if (plan_.asynchronous()) return fill_places(now);
  opened_ = std::min(opened_, now);
  deadline_ = training_ends(now);
  RoundActions actions;
  answer_resting(now, actions);
  look_for_goal(now);
  if (phase_ == RoundPhase::selecting && can_begin(now)) begin(now, actions);
  if (phase_ == RoundPhase::training) end_training_if_due(now, actions);
  if (phase_ != RoundPhase::selecting) answer_waiting(now, actions);
  return actions;
}

void Round::end_training_if_due(Timestamp now, RoundActions& actions) {
  if (is_complete() || (now >= deadline_ && accepted() >= plan_.minimum)) {
    phase_ = RoundPhase::aggregating;
    actions.emplace_back(Aggregate{});
  } else if (now >= deadline_) {
    phase_ = RoundPhase::abandoned;
    actions.emplace_back(Abandon{std::to_string(accepted()) + " of at least " +
                                 std::to_string(plan_.minimum) + " updates had come at the deadline"});
  }
}

void Round::committed() {
  phase_ = RoundPhase::committed;
}

RoundActions Round::failed(const std::string& reason) {
  phase_ = RoundPhase::abandoned;
  return {Abandon{reason}};
}

std::map<std::string, Absence> Round::absent() const {
  if (plan_.asynchronous()) return {};
  const bool goal_was_met = accepted() >= plan_.goal;
  std::map<std::string, Absence> absent;
  for (const auto& [device, member] : cohort_) {
    if (member == Member::away) absent[device] = Absence::dropped;
    if (member == Member::working) absent[device] = goal_was_met ? Absence::surplus : Absence::late;
  }
  return absent;
}

Admission Round::admission(const std::string& device) const {
  const auto found = cohort_.find(device);
  if (found != cohort_.end() && found->second == Member::accepted) return Admission::already_accepted;
  if (plan_.asynchronous()) {
    if (!given_.contains(device)) return Admission::not_selected;
    return phase_ == RoundPhase::training ? Admission::admitted : Admission::deferred;
  }
  if (phase_ != RoundPhase::training) return Admission::round_closed;
  if (found == cohort_.end() || found->second == Member::refused) return Admission::not_selected;
  return Admission::admitted;
}

std::optional<Timestamp> Round::wake_after(Timestamp now) const {
  if (plan_.asynchronous()) return places_change(now);
  if (phase_ == RoundPhase::training) return training_ends(now);
  if (phase_ != RoundPhase::selecting) return std::nullopt;
  std::optional<Timestamp> next;
  for (const Timestamp end : {pause_ends(now), patience_ends(now), selection_ends(now)}) {
    if (end > now && end < next.value_or(Timestamp::max())) next = end;
  }
  return next;
}

void Round::look_for_goal(Timestamp now) {
  if (waiting_.size() < plan_.goal) {
    goal_waits_.reset();
  } else {
    goal_waits_ = std::min(goal_waits_.value_or(now), now);
  }
}

bool Round::can_begin(Timestamp now) const {
  const std::size_t waiting = waiting_.size();
  if (now < pause_ends(now)) return false;
  if (waiting >= wanted() && plan_.sampling == Sampling::uniform) return true;
  const bool all_wait = crowd_.devices != 0 && waiting >= crowd_.devices;
  if (waiting >= plan_.goal && (all_wait || now >= patience_ends(now))) return true;
  return waiting >= plan_.minimum && now >= selection_ends(now);
}

std::vector<std::string> Round::choose(std::vector<std::string> candidates, std::size_t count) const {
  return select_cohort(std::move(candidates), count, derive_seed(plan_.seed, number_), plan_.sampling,
                       took_part_);
}

void Round::begin(Timestamp now, RoundActions& actions) {
  const std::vector<std::string> cohort = choose({waiting_.begin(), waiting_.end()}, wanted());
  phase_ = RoundPhase::training;
  deadline_ = now + seconds(plan_.deadline_seconds);
  actions.emplace_back(BeginTraining{cohort, deadline_});
  for (const std::string& device : cohort) {
    cohort_[device] = Member::working;
    waiting_.erase(device);
    actions.emplace_back(Offer{device, false});
  }
}

Milliseconds Round::rest_of(const std::string& device, Timestamp now) const {
  const auto found = took_part_.find(device);
  const bool has_work = given_.contains(device) || admission(device) == Admission::admitted;
  if (found == took_part_.end() || has_work) return Milliseconds(0);
  const Timestamp over = std::min(found->second, now) + seconds(plan_.min_period_seconds);
  return std::max(over - now, Milliseconds(0));
}

void Round::answer_resting(Timestamp now, RoundActions& actions) {
  std::erase_if(waiting_, [&](const std::string& device) {
    const Milliseconds rest = rest_of(device, now);
    if (rest == Milliseconds(0)) return false;
    actions.emplace_back(
        Later{device, std::max(rest, shortest_retry),
              "a device takes part once in " + std::to_string(plan_.min_period_seconds) + " s", true});
    return true;
  });
}

void Round::answer_waiting(Timestamp now, RoundActions& actions) {
  // Those who come back have their places before newcomers get any.
  std::vector<std::string> newcomers;
  for (const std::string& device : waiting_) {
    if (admission(device) == Admission::admitted) cohort_[device] = Member::working;
    if (phase_ == RoundPhase::training && !cohort_.contains(device)) newcomers.push_back(device);
  }
  const std::size_t places = wanted() - std::min(wanted(), count(Member::working) + count(Member::accepted));
  const std::vector<std::string> joining = choose(std::move(newcomers), places);
  for (const std::string& device : joining) cohort_[device] = Member::working;
  for (const std::string& device : waiting_) {
    if (admission(device) == Admission::admitted) {
      actions.emplace_back(Offer{device, std::binary_search(joining.begin(), joining.end(), device)});
    } else {
      actions.emplace_back(later(device, now));
    }
  }
  waiting_.clear();
}

bool Round::is_complete() const {
  const bool nobody_left = !plan_.asynchronous() && count(Member::working) + count(Member::away) == 0;
  return accepted() >= plan_.goal || (nobody_left && accepted() >= plan_.minimum);
}

RoundActions Round::aggregate_if_complete() {
  if (phase_ != RoundPhase::training || !is_complete()) return {};
  phase_ = RoundPhase::aggregating;
  return {Aggregate{}};
}

Later Round::later(const std::string& device, Timestamp now) const {
  const std::string reason =
      "round " + std::to_string(number_) + " is " + name(phase_) + " without this device";
  if (is_crowd(crowd_)) {
    const std::uint64_t seed = device_seed_of(plan_.seed, device);
    return {device, crowd_retry(crowd_, wanted(), seed, now), reason, true};
  }
  const Milliseconds left = phase_ == RoundPhase::training ? deadline_ - now : shortest_retry;
  return {device, std::clamp(left, shortest_retry, longest_retry), reason};
}

}  // namespace fl::server
