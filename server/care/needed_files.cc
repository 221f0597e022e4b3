#include "server/care/needed_files.h"

#include <algorithm>

#include "server/ledger/update_spool.h"

namespace fl::server {
namespace {

constexpr std::uint32_t page = 256;

void add_blobs(const Ledger& ledger, const TaskRecord& task, NeededFiles& files) {
  const std::string of_task = " of '" + task.name + "'";
  files.blobs[task.archive_hash] = {"the archive" + of_task, true, true};
  VersionRecord newest;
  for_each_version(ledger, task.name, [&](const VersionRecord& version) {
    newest = version;
    if (version.pruned) return;
    const std::string of_version = " of version " + std::to_string(version.version) + of_task;
    files.blobs[version.weights_hash] = {"the weights" + of_version, false, true};
    if (version.state_hash)
      files.blobs[*version.state_hash] = {"the strategy's state" + of_version, false, false};
  });
  if (newest.version == 0) return;
  files.blobs[newest.weights_hash].at_start = true;
  if (newest.state_hash) files.blobs[*newest.state_hash].at_start = true;
}

void add_updates(const Ledger& ledger, const std::string& task, std::uint64_t round, bool is_committed,
                 NeededFiles& files) {
  files.rounds[task].insert(round);
  for (const ParticipantRecord& device : ledger.participants(task, round)) {
    if (device.state != ParticipantState::accepted) continue;
    files.updates.push_back({task, round, device.device, device.update_hash, device.update_bytes,
                             spooled_path("", task, round, device.device, device.update_hash), is_committed});
  }
}

}  // namespace

NeededFiles needed_files(const Ledger& ledger) {
  NeededFiles files;
  for (const TaskRecord& task : ledger.tasks()) {
    add_blobs(ledger, task, files);
    if (const auto open = ledger.open_round(task.name))
      add_updates(ledger, task.name, open->round, false, files);
    for (const std::uint64_t round : ledger.committed_rounds(task.name, task.plan.round.keep_updates)) {
      add_updates(ledger, task.name, round, true, files);
    }
  }
  return files;
}

bool NeededFiles::holds(const NeededUpdate& update) const {
  return std::any_of(updates.begin(), updates.end(),
                     [&](const NeededUpdate& one) { return one.path == update.path; });
}

void for_each_version(const Ledger& ledger, const std::string& task,
                      const std::function<void(const VersionRecord&)>& visit) {
  std::vector<VersionRecord> versions;
  std::uint64_t after = 0;
  do {
    versions = ledger.versions(task, after, page);
    for (const VersionRecord& version : versions) visit(version);
    if (!versions.empty()) after = versions.back().version;
  } while (versions.size() == page);
}

}  // namespace fl::server
