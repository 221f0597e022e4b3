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
  const std::vector<std::uint64_t> kept =
      parts_.ledger.committed_rounds(task_.name, task_.plan.round.keep_updates);
  std::set<std::uint64_t> rounds(kept.begin(), kept.end());
  rounds.insert(round_->number());
  parts_.spool.keep_only(task_.name, rounds);
  if (kept.empty()) return;
  std::set<std::filesystem::path> updates;  // of the round that was the last to be committed
  for (const ParticipantRecord& device : parts_.ledger.participants(task_.name, kept.front())) {
    if (device.state == ParticipantState::accepted)
      updates.insert(parts_.spool.path(task_.name, kept.front(), device.device, device.update_hash));
  }
  parts_.spool.keep_only(task_.name, kept.front(), updates);
}

void TaskRunner::prune_versions(bool is_start) {
  const std::optional<std::uint64_t> first =
      parts_.ledger.prune_versions(task_.name, task_.plan.round.keep_versions);
  if (!first && !is_start) return;
  for (const Digest& hash : parts_.ledger.unneeded_blobs(task_.name, is_start ? 0 : *first)) {
    if (parts_.blobs.contains(hash)) parts_.blobs.remove(hash);
  }
}

}  // namespace fl::server
