#include "tests/unit/round/referee.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fl::test {

using namespace server;

namespace {

void require(bool allowed, const std::string& foul) {
  if (!allowed) throw Foul(foul);
}

std::chrono::seconds seconds(std::uint32_t count) {
  return std::chrono::seconds(count);
}

}  // namespace

std::set<std::string> Referee::members(State state) const {
  std::set<std::string> found;
  for (const auto& [device, its_state] : members_) {
    if (its_state == state) found.insert(device);
  }
  return found;
}

std::set<std::string> Referee::members() const {
  std::set<std::string> found;
  for (const auto& [device, state] : members_) found.insert(device);
  return found;
}

/// In whole hundredths, as the plans of these tests have it.
std::size_t Referee::wanted() const {
  const auto hundredths = static_cast<std::size_t>(std::lround(plan_.over_selection * 100.0));
  return (plan_.goal * hundredths + 99) / 100;
}

bool Referee::complete() const {
  const bool nobody_left = count(State::working) + count(State::away) == 0;
  return count(State::accepted) >= (nobody_left ? plan_.minimum : plan_.goal);
}

bool Referee::may_begin(Timestamp now) const {
  const std::size_t there = awake(now).size();
  const bool gathers = plan_.sampling == Sampling::least_recent;
  std::size_t needed = gathers ? std::numeric_limits<std::size_t>::max() : wanted();
  if (goal_waits_ && now >= *goal_waits_ + seconds(2)) needed = plan_.goal;
  if (crowd_.devices > 0 && there >= crowd_.devices) needed = plan_.goal;
  if (now >= selection_ends_) needed = plan_.minimum;
  return now >= pause_ends_ && there >= needed;
}

Milliseconds Referee::rest_of(const std::string& device, Timestamp now) const {
  const auto took_part = took_part_.find(device);
  if (took_part == took_part_.end() || !took_part->second) return Milliseconds(0);
  const Milliseconds since = std::max(now - *took_part->second, Milliseconds(0));
  return std::max(seconds(plan_.min_period_seconds) - since, Milliseconds(0));
}

/// Of those who wait, who may be chosen.
std::set<std::string> Referee::awake(Timestamp now) const {
  std::set<std::string> found = waiting_;
  std::erase_if(found, [&](const std::string& device) { return rest_of(device, now) > Milliseconds(0); });
  return found;
}

void Referee::arrived(const std::string& device, std::optional<Timestamp> took_part) {
  waiting_.insert(device);
  took_part_[device] = took_part;
}

Admission Referee::admission(const std::string& device) const {
  const auto member = members_.find(device);
  if (member != members_.end() && member->second == State::accepted) return Admission::already_accepted;
  if (phase_ != RoundPhase::training) return Admission::round_closed;
  const bool wanted = member != members_.end() && member->second != State::refused;
  return wanted ? Admission::admitted : Admission::not_selected;
}

void Referee::opened(Timestamp now, Milliseconds pause) {
  phase_ = RoundPhase::selecting;
  pause_ = pause;
  pause_ends_ = now + pause;
  goal_waits_.reset();
  selection_ends_ = now + seconds(plan_.selection_seconds);
  members_.clear();
}

void Referee::restarted(Timestamp now, Milliseconds pause) {
  waiting_.clear();
  if (phase_ == RoundPhase::selecting) return opened(now, pause);
  phase_ = RoundPhase::training;
  deadline_ = now + seconds(plan_.deadline_seconds);
  for (auto& [device, state] : members_) {
    if (state == State::working) state = State::away;
  }
}

void Referee::left(const std::string& device) {
  waiting_.erase(device);
  if (phase_ != RoundPhase::training) return;
  const auto member = members_.find(device);
  if (member != members_.end() && member->second == State::working) member->second = State::away;
}

void Referee::accepted(const std::string& device, const RoundActions& actions) {
  finish(device, State::accepted, actions);
}

void Referee::refused(const std::string& device, const RoundActions& actions) {
  finish(device, State::refused, actions);
}

void Referee::finish(const std::string& device, State state, const RoundActions& actions) {
  require(admission(device) == Admission::admitted, device + " finished though it was not admitted");
  members_.at(device) = state;
  require(count(State::accepted) <= plan_.goal, "more updates were accepted than the goal");
  const bool aggregates = actions.size() == 1 && std::holds_alternative<Aggregate>(actions.front());
  require(complete() ? aggregates : actions.empty(),
          complete() ? "a complete round must aggregate, no more" : "nothing follows from " + device);
  if (complete()) phase_ = RoundPhase::aggregating;
}

void Referee::time_passed(Timestamp now, const RoundActions& actions) {
  pause_ends_ = std::min(pause_ends_, now + pause_);
  selection_ends_ = std::min(selection_ends_, now + seconds(plan_.selection_seconds));
  deadline_ = std::min(deadline_, now + seconds(plan_.deadline_seconds));
  if (awake(now).size() < plan_.goal) goal_waits_.reset();
  if (awake(now).size() >= plan_.goal) goal_waits_ = std::min(goal_waits_.value_or(now), now);
  const bool begins = phase_ == RoundPhase::selecting && may_begin(now);
  const bool rests = phase_ == RoundPhase::selecting && !begins;
  const auto beginnings = std::count_if(actions.begin(), actions.end(), [](const RoundAction& action) {
    return std::holds_alternative<BeginTraining>(action);
  });
  require(beginnings == (begins ? 1 : 0), begins ? "the round must begin" : "the round may not begin");
  take(actions, now);
  require(awake(now) == waiting_, "a device that rests was not told so");
  if (rests) return;
  require(waiting_.empty(), "a device that asked was not answered");
  require(phase_ != RoundPhase::training || (!complete() && now < deadline_), "the round had to end");
}

void Referee::take(const RoundActions& actions, Timestamp now) {
  offered_.clear();
  put_off_.clear();
  std::size_t joined = 0;
  for (const RoundAction& action : actions) {
    const auto* offer = std::get_if<Offer>(&action);
    if (offer != nullptr && offer->joins) ++joined;
    std::visit([&](const auto& one) { judge(one, now); }, action);
  }
  require_answers(joined, now);
}

void Referee::judge(const BeginTraining& begin, Timestamp now) {
  const std::vector<std::string>& cohort = begin.cohort;
  require(phase_ == RoundPhase::selecting, "a round begins once");
  require(std::is_sorted(cohort.begin(), cohort.end()), "the cohort is not sorted");
  require(std::adjacent_find(cohort.begin(), cohort.end()) == cohort.end(), "a device was chosen twice");
  const std::set<std::string> candidates = awake(now);
  require(std::includes(candidates.begin(), candidates.end(), cohort.begin(), cohort.end()),
          "a device was chosen that does not wait, or rests");
  require(cohort.size() == std::min(wanted(), candidates.size()), "the cohort has the wrong size");
  require_least_recent(candidates, {cohort.begin(), cohort.end()});
  require(begin.deadline == now + seconds(plan_.deadline_seconds), "the deadline is wrong");
  phase_ = RoundPhase::training;
  deadline_ = begin.deadline;
  for (const std::string& device : cohort) members_[device] = State::working;
}

/// Nobody was chosen who took part after somebody that was not.
void Referee::require_least_recent(const std::set<std::string>& candidates,
                                   const std::set<std::string>& chosen) const {
  if (plan_.sampling != Sampling::least_recent) return;
  Timestamp last_chosen = Timestamp::min();
  Timestamp first_left = Timestamp::max();
  for (const std::string& device : candidates) {
    const Timestamp when = took_part_.at(device).value_or(Timestamp::min());
    if (chosen.contains(device)) last_chosen = std::max(last_chosen, when);
    if (!chosen.contains(device)) first_left = std::min(first_left, when);
  }
  require(last_chosen <= first_left, "a device was chosen over one that took part longer ago");
}

void Referee::answer(const std::string& device) {
  require(waiting_.erase(device) == 1, device + " was answered but had not asked");
}

void Referee::judge(const Offer& offer, Timestamp now) {
  answer(offer.device);
  require(phase_ == RoundPhase::training, "work was offered outside training");
  require(!offer.joins || rest_of(offer.device, now) == Milliseconds(0), offer.device + " joins and rests");
  require(members_.contains(offer.device) != offer.joins, offer.device + " joins or is a member, not both");
  State& state = members_.try_emplace(offer.device, State::away).first->second;
  require(state == State::working || state == State::away, offer.device + " has finished already");
  state = State::working;
  offered_.insert(offer.device);
}

void Referee::judge(const Later& later, Timestamp now) {
  answer(later.device);
  require(!later.reason.empty(), "no reason was given");
  const Milliseconds rest = rest_of(later.device, now);
  const bool rests = rest > Milliseconds(0) && admission(later.device) != Admission::admitted;
  const bool of_a_crowd = crowd_.devices >= 1'000;
  require(later.firm == (rests || of_a_crowd), "only who rests or is one of very many waits whatever comes");
  if (rests) {
    require(later.retry_after == std::max<Milliseconds>(rest, seconds(1)), "the rest has the wrong length");
  } else {
    require(phase_ != RoundPhase::selecting, "a device was put off that could be chosen");
    require(later.retry_after >= seconds(1) && later.retry_after <= seconds(of_a_crowd ? 2'049U : 60U),
            "retry_after is out of range");
  }
  put_off_.insert(later.device);
}

void Referee::judge(const Aggregate& /*aggregate*/, Timestamp now) {
  require(phase_ == RoundPhase::training, "only a round in training aggregates");
  require(count(State::accepted) >= plan_.minimum, "aggregated below the minimum");
  require(complete() || now >= deadline_, "aggregated too soon");
  phase_ = RoundPhase::aggregating;
}

void Referee::judge(const Abandon& abandon, Timestamp now) {
  require(phase_ == RoundPhase::training && now >= deadline_, "abandoned before the deadline");
  require(count(State::accepted) < plan_.minimum, "abandoned though the minimum had come");
  require(!abandon.reason.empty(), "no reason was given");
  phase_ = RoundPhase::abandoned;
}

/// Whom the answers to one event should have gone to, whatever their order.
void Referee::require_answers(std::size_t joined, Timestamp now) const {
  if (phase_ != RoundPhase::training) return;
  const std::size_t active = count(State::working) + count(State::accepted);
  require(joined == 0 || active <= wanted(), "a device joined where no place was free");
  for (const std::string& device : put_off_) {
    const auto member = members_.find(device);
    const bool unfinished = member != members_.end() && admission(device) == Admission::admitted;
    require(!unfinished, device + " has work to do and was put off");
    const bool rests = rest_of(device, now) > Milliseconds(0);
    require(rests || member != members_.end() || active >= wanted(),
            device + " was put off though a place was free");
  }
}

void Referee::committed() {
  require(phase_ == RoundPhase::aggregating, "committed without aggregating");
  require(count(State::accepted) >= plan_.minimum, "committed below the minimum");
  phase_ = RoundPhase::committed;
}

void Referee::failed(const RoundActions& actions) {
  require(actions.size() == 1 && std::holds_alternative<Abandon>(actions.front()),
          "a failed round is abandoned, no more");
  phase_ = RoundPhase::abandoned;
}

void Referee::compare_absent(const Round& round) const {
  const bool goal_met = count(State::accepted) == plan_.goal;
  std::map<std::string, Absence> expected;
  for (const std::string& device : members(State::away)) expected[device] = Absence::dropped;
  for (const std::string& device : members(State::working)) {
    expected[device] = goal_met ? Absence::surplus : Absence::late;
  }
  require(round.absent() == expected, "the round says of others that they are absent, or why");
}

void Referee::compare(const Round& round, const std::string& device, Timestamp now) const {
  require(round.phase() == phase_, std::string("the phase is ") + name(round.phase()));
  require(round.waiting() == waiting_, "others wait than should");
  require(round.accepted() == count(State::accepted), "the count of accepted updates is wrong");
  require(round.cohort_size() == members_.size(), "the size of the cohort is wrong");
  require(round.admission(device) == admission(device), "the admission of " + device + " is wrong");
  if (phase_ != RoundPhase::selecting && phase_ != RoundPhase::training) compare_absent(round);
  const std::optional<Timestamp> wake = round.wake_after(now);
  if (phase_ == RoundPhase::training) {
    require(wake == std::min(deadline_, now + seconds(plan_.deadline_seconds)),
            "it must wake at the deadline");
  } else if (phase_ == RoundPhase::selecting) {
    std::set<Timestamp> ends = {std::min(pause_ends_, now + pause_),
                                std::min(selection_ends_, now + seconds(plan_.selection_seconds))};
    if (goal_waits_) ends.insert(std::min(*goal_waits_, now) + seconds(2));
    std::erase_if(ends, [now](Timestamp end) { return end <= now; });
    require(ends.empty() ? !wake : wake == *ends.begin(), "it must wake when a wait ends");
  } else {
    require(!wake, "an ended round needs no time");
  }
}

}  // namespace fl::test
