// The half of Round that is about asynchronous tasks, whose rounds are buffers.

#include <algorithm>
#include <utility>

#include "common/base/random.h"
#include "server/round/round.h"
#include "server/round/selection.h"

namespace fl::server {

RoundActions Round::fill_places(Timestamp now) {
  const Timestamp ends = work_ends(now);
  for (auto& [device, work] : given_) work.until = std::min(work.until, ends);  // the clock may be set back
  RoundActions actions = aggregate_if_complete();
  answer_resting(now, actions);
  const bool begins = phase_ == RoundPhase::selecting && !(waiting_.empty() && given_.empty());
  if (!begins && phase_ != RoundPhase::training) return actions;
  const std::vector<std::string> devices = next_at_work(now);
  if (begins) {
    phase_ = RoundPhase::training;
    deadline_ = ends;
    actions.emplace_back(BeginTraining{devices, ends});
  }
  for (const std::string& device : devices) {
    const bool joins = !begins && !cohort_.contains(device);
    cohort_[device] = Member::working;
    const auto work = given_.find(device);
    const bool goes_on = work != given_.end() && work->second.until > now;
    given_[device] = {number_, version_, goes_on ? work->second.until : ends};
    waiting_.erase(device);
    actions.emplace_back(Offer{device, joins});
  }
  if (!devices.empty()) ++gifts_;
  return actions;
}

/// Whether an update of the device is in this buffer already, or was refused in it.
bool Round::has_been_heard(const std::string& device) const {
  const auto found = cohort_.find(device);
  return found != cohort_.end() && (found->second == Member::accepted || found->second == Member::refused);
}

/// Those who ask for what they have to do already, and newcomers for the free places.
std::vector<std::string> Round::next_at_work(Timestamp now) const {
  std::vector<std::string> devices;
  std::vector<std::string> newcomers;
  for (const std::string& device : waiting_) {
    const auto work = given_.find(device);
    if (work != given_.end() && work->second.until > now) {
      devices.push_back(device);
    } else if (work != given_.end() || !has_been_heard(device)) {
      newcomers.push_back(device);
    }
  }
  const std::uint64_t seed = derive_seed(derive_seed(plan_.seed, number_), gifts_);
  for (std::string& device :
       select_cohort(std::move(newcomers), free_places(now), seed, plan_.sampling, took_part_)) {
    devices.push_back(std::move(device));
  }
  std::sort(devices.begin(), devices.end());
  return devices;
}

Timestamp Round::work_ends(const std::string& device, Timestamp now) const {
  const auto work = given_.find(device);
  return work == given_.end() ? work_ends(now) : work->second.until;
}

std::size_t Round::free_places(Timestamp now) const {
  const std::size_t fresh = plan_.goal * (std::size_t{plan_.server_max_staleness.value_or(0)} + 1);
  const std::size_t places = plan_.server_concurrency ? *plan_.server_concurrency : fresh;
  const auto taken = static_cast<std::size_t>(std::count_if(
      given_.begin(), given_.end(), [now](const auto& entry) { return entry.second.until > now; }));
  return places - std::min(places, taken);
}

std::optional<Timestamp> Round::places_change(Timestamp now) const {
  if (phase_ == RoundPhase::selecting) {
    return waiting_.empty() && given_.empty() ? std::nullopt : std::optional(now);
  }
  if (phase_ != RoundPhase::training || waiting_.empty()) return std::nullopt;
  if (!next_at_work(now).empty()) return now;
  std::optional<Timestamp> soonest;
  for (const auto& [device, work] : given_) {
    if (work.until > now) soonest = std::min(soonest.value_or(work.until), work.until);
  }
  return soonest;
}

}  // namespace fl::server
