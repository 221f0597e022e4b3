#include "server/care/needed_files.h"

#include <algorithm>

#include "server/ledger/update_spool.h"

namespace fl::server {
namespace {

constexpr std::uint32_t page = 256;

/// Tasks, and versions, may share a blob: it is as important as it is to any of them.
void add(NeededFiles& files, const Digest& hash, const NeededBlob& blob) {
  const auto [entry, is_first] = files.blobs.try_emplace(hash, blob);
  if (is_first) return;
  NeededBlob& known = entry->second;
  known.what = blob.what;
  known.at_start = known.at_start || blob.at_start;
  known.on_devices = known.on_devices || blob.on_devices;
  known.spare = known.spare && blob.spare;
}

void add_blobs(const Ledger& ledger, const TaskRecord& task, NeededFiles& files) {
  const std::string of_task = " of '" + task.name + "'";
  add(files, task.archive_hash, {"the archive" + of_task, true, true});
  VersionRecord newest;
  for_each_version(ledger, task.name, [&](const VersionRecord& version) {
    newest = version;
    if (version.pruned) return;
    const std::string of_version = " of version " + std::to_string(version.version) + of_task;
    add(files, version.weights_hash, {"the weights" + of_version, false, true});
    if (version.state_hash) add(files, *version.state_hash, {"the strategy's state" + of_version});
    if (version.difference) {
      add(files, version.difference->hash,
          {"the difference that leads to version " + std::to_string(version.version) + of_task, false, false,
           true});
    }
  });
  if (newest.version == 0) return;
  files.blobs[newest.weights_hash].at_start = true;
  if (newest.state_hash) files.blobs[*newest.state_hash].at_start = true;
}

void add_updates(const Ledger& ledger, const TaskRecord& task, std::uint64_t round, bool is_committed,
                 NeededFiles& files) {
  const std::uint64_t number = spool_number(task.plan.round, round);
  files.rounds[task.name].insert(number);
  for (const ParticipantRecord& device : ledger.participants(task.name, round)) {
    if (device.state != ParticipantState::accepted) continue;
    files.updates.push_back({task.name, round, device.device, device.update_hash, device.update_bytes,
                             spooled_path("", task.name, number, device.device, device.update_hash),
                             is_committed});
  }
}

void add_updates(const Ledger& ledger, const TaskRecord& task, NeededFiles& files) {
  const RoundPlan& plan = task.plan.round;
  // Of an asynchronous task what devices have begun to send is for whichever round will be open.
  if (plan.asynchronous()) files.rounds[task.name].insert(spool_number(plan, 0));
  if (const auto open = ledger.open_round(task.name)) add_updates(ledger, task, open->round, false, files);
  for (const std::uint64_t round : ledger.committed_rounds(task.name, plan.keep_updates)) {
    add_updates(ledger, task, round, true, files);
  }
}

}  // namespace

NeededFiles needed_files(const Ledger& ledger) {
  NeededFiles files;
  for (const TaskRecord& task : ledger.tasks()) {
    add_blobs(ledger, task, files);
    add_updates(ledger, task, files);
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
