#include "server/care/record_check.h"

#include <map>

#include "common/base/error.h"
#include "common/model/manifest.h"
#include "server/care/evaluation_check.h"
#include "server/care/needed_files.h"

namespace fl::server {
namespace {

constexpr const char* restore_all =
    "fl-server cannot mend this: stop the server and restore the home from a backup";

constexpr const char* put_signing_key_back =
    "put back signing.key from a backup; where it is right, stop the server and restore the home from one";

/// The versions and rounds of one task, in their order.
class TaskCheck {
 public:
  TaskCheck(const Ledger& ledger, const TaskRecord& task, const std::optional<PublicKey>& key,
            Findings& findings)
      : ledger_(ledger), task_(task), layout_hash_(task.layout.hash()), key_(key), findings_(findings) {}

  void check(const VersionRecord& version) {
    ++versions_;
    check_number(version);
    check_round(version);
    if (key_) check_manifest(version);
    previous_ = version.manifest.hash();
    newest_ = version;
  }

  void check(const RoundRecord& round) {
    const std::string where = "round " + std::to_string(round.round) + " of '" + task_.name + "'";
    const bool made_one = made_.erase(round.round) == 1;
    if (round.state == RoundState::committed && !made_one)
      fault(where, "is committed, but there is no version that it made");
    if (round.state != RoundState::committed && made_one)
      fault(where, "is " + std::string(name(round.state)) + ", but there is a version that it made");
    if (round.state == RoundState::open && !trains_from_newest(round))
      fault(where, "is open and trains from version " + std::to_string(round.base_version) +
                       ", whose weights are not those of the newest");
  }

  std::uint64_t end() {
    if (versions_ == 0) fault("the task '" + task_.name + "'", "has no version");
    if (newest_.pruned) fault(title(newest_.version), "is the newest, but recorded as pruned");
    for (const auto& [round, version] : made_) {
      fault(title(version), "was made by round " + std::to_string(round) + ", which there is not");
    }
    return versions_;
  }

 private:
  std::string title(std::uint64_t version) const {
    return "version " + std::to_string(version) + " of '" + task_.name + "'";
  }

  void fault(const std::string& where, const std::string& what, const char* remedy = restore_all) {
    findings_.push_back({Finding::Kind::fault, where, what, remedy});
  }

  void check_number(const VersionRecord& version) {
    const std::uint64_t expected = newest_.version + 1;
    if (version.version == expected) return;
    fault(title(version.version), "is where version " + std::to_string(expected) + " should be");
  }

  void check_round(const VersionRecord& version) {
    if (version.round == 0) return;
    if (!made_.try_emplace(version.round, version.version).second) {
      fault(title(version.version),
            "was made by round " + std::to_string(version.round) + ", which has made another one");
    }
  }

  void check_manifest(const VersionRecord& version) {
    try {
      const Manifest manifest = verify(version.manifest, *key_);
      for (const char* const part : wrong_parts(manifest, version)) {
        fault(title(version.version), std::string("has a signed manifest that names another ") + part);
      }
    } catch (const Error& error) {
      fault(title(version.version), std::string("has a manifest that does not verify: ") + error.what(),
            put_signing_key_back);
    }
  }

  /// The newest may be the same weights published again.
  bool trains_from_newest(const RoundRecord& round) const {
    const std::optional<VersionRecord> base = ledger_.version(task_.name, round.base_version);
    return base && base->weights_hash == newest_.weights_hash;
  }

  std::vector<const char*> wrong_parts(const Manifest& manifest, const VersionRecord& version) const {
    std::vector<const char*> parts;
    if (manifest.task != task_.name) parts.push_back("task");
    if (manifest.version != version.version) parts.push_back("version");
    if (manifest.weights_hash != version.weights_hash) parts.push_back("hash of its weights");
    if (manifest.weights_count != task_.layout.size()) parts.push_back("number of weights");
    if (manifest.archive_hash != task_.archive_hash || manifest.archive_bytes != task_.archive_bytes)
      parts.push_back("archive");
    if (manifest.layout_hash != layout_hash_) parts.push_back("layout");
    if (manifest.previous != previous_) parts.push_back("manifest before it");
    return parts;
  }

  const Ledger& ledger_;
  const TaskRecord& task_;
  Digest layout_hash_;
  const std::optional<PublicKey>& key_;
  Findings& findings_;
  std::uint64_t versions_ = 0;
  VersionRecord newest_;
  Digest previous_;                              ///< Zeros before the first, as its manifest has them.
  std::map<std::uint64_t, std::uint64_t> made_;  ///< Versions by the round that made them.
};

}  // namespace

RecordCounts check_records(const Ledger& ledger, const std::optional<PublicKey>& key, Findings& findings) {
  RecordCounts counts;
  for (const TaskRecord& task : ledger.tasks()) {
    TaskCheck check(ledger, task, key, findings);
    for_each_version(ledger, task.name, [&](const VersionRecord& version) { check.check(version); });
    for (const RoundRecord& round : ledger.rounds(task.name)) {
      check.check(round);
      ++counts.rounds;
    }
    check_evaluations(ledger, task.name, findings);
    ++counts.tasks;
    counts.versions += check.end();
  }
  return counts;
}

}  // namespace fl::server
