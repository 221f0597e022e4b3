// The part of a task's runner that accounts for the devices of rounds that end.

#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "server/fleet/task_runner.h"

namespace fl::server {
namespace {

ParticipantState state_of(Absence absence) {
  switch (absence) {
    case Absence::late:
      return ParticipantState::late;
    case Absence::surplus:
      return ParticipantState::surplus;
    case Absence::dropped:
      break;
  }
  return ParticipantState::dropped;
}

}  // namespace

Endings TaskRunner::endings() const {
  Endings endings;
  for (const auto& [device, absence] : round_->absent()) endings[device] = state_of(absence);
  return endings;
}

bool TaskRunner::remembers_devices() const {
  const RoundPlan& plan = task_.plan.round;
  return plan.min_period_seconds > 0 || plan.sampling == Sampling::least_recent;
}

void TaskRunner::account_for_devices(bool committed) {
  std::map<ParticipantState, std::size_t> counts;
  try {
    for (const ParticipantRecord& device : parts_.ledger.participants(task_.name, round_->number())) {
      if (device.state == ParticipantState::selected) continue;  // of an asynchronous task: still at work
      ++counts[device.state];
      const bool took_part = committed && device.state == ParticipantState::accepted;
      if (took_part && remembers_devices()) took_part_[device.device] = device.at;
    }
  } catch (const Error& error) {
    parts_.log->warn(fmt::format("task={} round={}: its devices are not accounted for: {}", task_.name,
                                 round_->number(), error.what()));
  }
  for (const auto& [state, count] : counts) metrics_.devices_ended(server::name(state), count);
}

}  // namespace fl::server
