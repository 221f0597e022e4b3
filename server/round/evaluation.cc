#include "server/round/evaluation.h"

#include <algorithm>
#include <iterator>

#include "common/base/random.h"
#include "server/round/selection.h"

namespace fl::server {
namespace {

/// Of the seed, so that evaluators are drawn apart from cohorts.
constexpr std::uint64_t evaluation_part = 0x6576616C75617465;  // "evaluate"

}  // namespace

const char* name(EvaluationPhase phase) {
  switch (phase) {
    case EvaluationPhase::waiting:
      return "waiting";
    case EvaluationPhase::running:
      return "running";
    case EvaluationPhase::complete:
      return "complete";
    case EvaluationPhase::incomplete:
      return "incomplete";
  }
  return "unknown";
}

VersionEvaluation VersionEvaluation::resume(const VersionEvaluation& fresh, Timestamp now,
                                            const std::set<std::string>& selected,
                                            const std::set<std::string>& reported,
                                            const std::set<std::string>& refused) {
  VersionEvaluation evaluation = fresh;
  evaluation.phase_ = EvaluationPhase::running;
  evaluation.deadline_ = now + std::chrono::seconds(fresh.plan_.deadline_seconds);
  for (const std::string& device : selected) evaluation.members_[device] = Member::away;
  for (const std::string& device : reported) evaluation.members_[device] = Member::reported;
  for (const std::string& device : refused) evaluation.members_[device] = Member::refused;
  return evaluation;
}

Timestamp VersionEvaluation::ends(Timestamp now) const {
  return std::min(deadline_, now + std::chrono::seconds(plan_.deadline_seconds));
}

std::size_t VersionEvaluation::count(Member member) const {
  return static_cast<std::size_t>(std::count_if(
      members_.begin(), members_.end(), [member](const auto& entry) { return entry.second == member; }));
}

std::size_t VersionEvaluation::places() const {
  const std::size_t taken = count(Member::working) + count(Member::reported);
  return superseded_ || has_ended() ? 0 : plan_.goal - std::min<std::size_t>(plan_.goal, taken);
}

bool VersionEvaluation::may_come_back(const std::string& device) const {
  return admission(device) == Admission::admitted;
}

bool VersionEvaluation::has_use_for(const std::string& device) const {
  return may_come_back(device) || (!members_.contains(device) && places() > 0);
}

Admission VersionEvaluation::admission(const std::string& device) const {
  const auto found = members_.find(device);
  if (found != members_.end() && found->second == Member::reported) return Admission::already_accepted;
  if (phase_ != EvaluationPhase::running) return Admission::round_closed;
  if (found == members_.end() || found->second == Member::refused) return Admission::not_selected;
  return Admission::admitted;
}

void VersionEvaluation::device_left(const std::string& device) {
  waiting_.erase(device);
  const auto found = members_.find(device);
  if (found != members_.end() && found->second == Member::working) found->second = Member::away;
}

EvaluationActions VersionEvaluation::reported(const std::string& device) {
  members_.at(device) = Member::reported;
  return end_if_done();
}

EvaluationActions VersionEvaluation::refused(const std::string& device) {
  members_.at(device) = Member::refused;
  return end_if_done();
}

EvaluationActions VersionEvaluation::version_published(bool is_due) {
  superseded_ = true;
  const bool cut_short = phase_ == EvaluationPhase::running && reported() < plan_.goal;
  return cut_short && is_due ? end("the next version to evaluate came") : end_if_done();
}

EvaluationActions VersionEvaluation::time_passed(Timestamp now) {
  EvaluationActions actions = end_if_done();
  if (phase_ == EvaluationPhase::running) {
    deadline_ = ends(now);
    if (now >= deadline_) actions = end("its time was over");
  }
  answer_waiting(now, actions);
  return actions;
}

std::optional<Timestamp> VersionEvaluation::wake_after(Timestamp now) const {
  if (phase_ == EvaluationPhase::running) return ends(now);
  return std::nullopt;
}

std::vector<std::string> VersionEvaluation::choose() const {
  std::vector<std::string> newcomers;
  std::copy_if(waiting_.begin(), waiting_.end(), std::back_inserter(newcomers),
               [this](const std::string& device) { return !members_.contains(device); });
  return select_cohort(newcomers, places(), derive_seed(derive_seed(seed_, evaluation_part), number_));
}

void VersionEvaluation::answer_waiting(Timestamp now, EvaluationActions& actions) {
  // Those who come back have their places before newcomers get any.
  for (const std::string& device : waiting_) {
    if (may_come_back(device)) members_[device] = Member::working;
  }
  std::vector<std::string> chosen = choose();
  for (const std::string& device : chosen) members_[device] = Member::working;
  if (!chosen.empty() && phase_ == EvaluationPhase::waiting) {
    phase_ = EvaluationPhase::running;
    deadline_ = now + std::chrono::seconds(plan_.deadline_seconds);
    actions.emplace_back(BeginEvaluation{std::move(chosen), deadline_});
  } else if (!chosen.empty()) {
    actions.emplace_back(AddEvaluators{std::move(chosen)});
  }
  for (const std::string& device : waiting_) {
    if (may_come_back(device)) {
      actions.emplace_back(OfferEvaluation{device});
    } else {
      actions.emplace_back(TurnAway{device});
    }
  }
  waiting_.clear();
}

EvaluationActions VersionEvaluation::end_if_done() {
  if (phase_ != EvaluationPhase::running) return {};
  if (reported() >= plan_.goal) return end("");
  const bool nobody_left = count(Member::working) + count(Member::away) == 0;
  if (superseded_ && nobody_left) return end("a newer version came");
  return {};
}

EvaluationActions VersionEvaluation::end(const std::string& reason) {
  const bool complete = reported() >= plan_.minimum;
  phase_ = complete ? EvaluationPhase::complete : EvaluationPhase::incomplete;
  EvaluationActions actions{EndEvaluation{complete, reason}};
  for (const std::string& device : waiting_) actions.emplace_back(TurnAway{device});
  waiting_.clear();
  return actions;
}

}  // namespace fl::server
