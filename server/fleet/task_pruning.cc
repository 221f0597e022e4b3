// What a task's runner removes once it is of no use any more, as the task's plan says what is kept.

#include <set>

#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "server/fleet/task_runner.h"

namespace fl::server {

// What was removed is recorded before, so that a server that ends in the midst leaves too much and never too
// little; the next start removes that.
void TaskRunner::prune(bool is_start) {
  try {
    prune_updates();
    prune_versions(is_start);
  } catch (const Error& error) {
    parts_.log->warn(
        fmt::format("task={}: what is not kept could not be removed: {}", task_.name, error.what()));
  }
}

void TaskRunner::prune_updates() {
  const RoundPlan& plan = task_.plan.round;
  const std::vector<std::uint64_t> kept = parts_.ledger.committed_rounds(task_.name, plan.keep_updates);
  std::set<std::uint64_t> rounds{spool_round(round_->number())};
  for (const std::uint64_t round : kept) rounds.insert(spool_round(round));
  parts_.spool.keep_only(task_.name, rounds);
  if (plan.asynchronous()) return prune_buffers(kept);
  if (kept.empty()) return;
  // Of the round that was the last to be committed.
  parts_.spool.keep_only(task_.name, kept.front(), accepted_files(kept.front()));
}

std::set<std::filesystem::path> TaskRunner::accepted_files(std::uint64_t round) const {
  std::set<std::filesystem::path> files;
  for (const ParticipantRecord& device : parts_.ledger.participants(task_.name, round)) {
    if (device.state != ParticipantState::accepted) continue;
    files.insert(parts_.spool.path(task_.name, spool_round(round), device.device, device.update_hash));
  }
  return files;
}

void TaskRunner::prune_versions(bool is_start) {
  const std::optional<std::uint64_t> first =
      parts_.ledger.prune_versions(task_.name, task_.plan.round.keep_versions, task_.plan.round.keep_updates);
  if (!first && !is_start) return;
  for (const Digest& hash : parts_.ledger.unneeded_blobs(task_.name, is_start ? 0 : *first)) {
    if (parts_.blobs.contains(hash)) parts_.blobs.remove(hash);
  }
}

}  // namespace fl::server
