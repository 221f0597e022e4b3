#include "server/care/leftovers.h"

#include <set>
#include <system_error>

#include "common/base/error.h"
#include "server/care/needed_files.h"

namespace fl::server {
namespace {

namespace fs = std::filesystem;

using Kind = Finding::Kind;

/// Collects leftovers, and removes them where that was asked for.
class Broom {
 public:
  Broom(const fs::path& home, Leftovers treatment, Findings& findings)
      : home_(home), treatment_(treatment), findings_(findings) {}

  void add(const fs::path& path, const std::string& what, const std::string& who_removes) {
    Finding finding{Kind::leftover, fs::relative(path, home_).string(), what, who_removes};
    if (treatment_ == Leftovers::remove) {
      fs::remove_all(path);
      finding.remedy = "it was removed";
    }
    findings_.push_back(std::move(finding));
  }

 private:
  const fs::path& home_;
  Leftovers treatment_;
  Findings& findings_;
};

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code not_there;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, not_there)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

void sweep_blobs(const fs::path& folder, const NeededFiles& needed, Broom& broom) {
  std::set<std::string> known;
  for (const auto& [hash, blob] : needed.blobs) known.insert(hash.hex());
  for (const std::string& name : names_in(folder)) {
    if (known.contains(name)) continue;
    broom.add(folder / name, "is referred to by no task and no version",
              "fl-server fsck --repair removes it");
  }
}

std::set<std::string> rounds_of(const std::string& task, const NeededFiles& needed) {
  std::set<std::string> names;
  const auto rounds = needed.rounds.find(task);
  if (rounds == needed.rounds.end()) return names;
  for (const std::uint64_t round : rounds->second) names.insert(std::to_string(round));
  return names;
}

void sweep_spool(const fs::path& folder, const NeededFiles& needed, Broom& broom) {
  for (const std::string& task : names_in(folder)) {
    const std::set<std::string> rounds = rounds_of(task, needed);
    for (const std::string& round : names_in(folder / task)) {
      if (rounds.contains(round)) continue;
      broom.add(folder / task / round, "holds updates of a round that is neither open nor kept",
                "fl-server removes it when it starts the task, fl-server fsck --repair now");
    }
  }
}

}  // namespace

void find_leftovers_of_locked(const ServerHome& home, Leftovers treatment, Findings& findings) {
  if (treatment == Leftovers::ignore) return;
  const NeededFiles needed = needed_files(Ledger::snapshot(home.ledger_path()));
  Broom broom(home.folder(), treatment, findings);
  try {
    sweep_blobs(home.blobs_path(), needed, broom);
    sweep_spool(home.spool_path(), needed, broom);
  } catch (const fs::filesystem_error& error) {
    throw_system_error(error.code().value(), "removing " + error.path1().string());
  }
}

void find_leftovers(const ServerHome& home, Leftovers treatment, Findings& findings) {
  if (treatment == Leftovers::ignore) return;
  FileDescriptor lock;
  try {
    lock = home.lock();
  } catch (const Error& error) {  // in use, or on a disk that nothing can be written to
    findings.push_back({Kind::skipped, home.folder().string(),
                        std::string("was not searched for leftovers: ") + error.what(),
                        "look again while no server runs here; leftovers take room and do no harm"});
    return;
  }
  find_leftovers_of_locked(home, treatment, findings);
}

}  // namespace fl::server
