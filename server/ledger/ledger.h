#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/disk.h"
#include "server/ledger/evaluation_records.h"
#include "server/ledger/records.h"

namespace fl::server {

/// Is told how long each change took to be on the disk.
using CommitObserver = std::function<void(Seconds)>;

/// What must survive: devices, tokens, tasks, rounds, updates and versions, in one SQLite database (WAL,
/// synchronous FULL). Every method that changes something is one transaction and durable when it returns,
/// unless it says otherwise.
///
/// Owns the database connection. One thread at a time; one Ledger per database (the home's lock sees to it),
/// and any number of snapshots beside it. Throws Error: not_found for an unknown task, round or device;
/// already_exists for a second one; failed_precondition where the round is not open; resource_exhausted for a
/// full disk; unavailable for a failing one; invalid_data where the database is not one of this program or of
/// a newer schema version. After any of them nothing was changed. Lists of an unknown task are empty.
class Ledger {
 public:
  /// Opens the database, making or migrating its schema to the present version. All that it writes goes
  /// through `disk`, which outlives it.
  explicit Ledger(const std::filesystem::path& path, CommitObserver on_commit = {},
                  Disk& disk = system_disk());
  /// The ledger as it is now, for reading alone and whatever a server that has it does meanwhile. Leaves the
  /// database as it is; while it is held the database's log grows. Throws Error as the constructor does, and
  /// failed_precondition where the schema is older than the present version.
  static Ledger snapshot(const std::filesystem::path& path);
  /// Writes a ledger that may be in use, as it is at one moment, to `target`, where nothing is yet; readable
  /// by its owner alone and on the disk when this returns.
  static void copy(const std::filesystem::path& path, const std::filesystem::path& target);
  Ledger(Ledger&&) noexcept;
  ~Ledger();

  /// What is wrong with the database itself, a sentence each: its pages and indexes, values that its schema
  /// does not allow, rows that refer to none. Reads all of it.
  std::vector<std::string> faults() const;

  // Tokens and devices. Only a token's SHA-256 is kept.
  void add_token(const Digest& secret_hash, const std::string& device_name, Timestamp expires);
  /// What enrol() would say to it now.
  TokenOutcome token_outcome(const Digest& secret_hash, Timestamp now) const;
  /// Uses the token up and adds the device, both or neither. Only `accepted` changes anything. A device
  /// without a name of its own gets the token's.
  TokenOutcome enrol(const Digest& secret_hash, DeviceRecord device, Timestamp now);
  void renew_certificate(const std::string& device, const std::string& serial, Timestamp expires);
  void revoke_device(const std::string& device);
  /// Not synced, so that thousands who come back at once do not each wait for the disk: it may be lost with
  /// the machine.
  void touch_device(const std::string& device, Timestamp now);
  std::optional<DeviceRecord> device(const std::string& id) const;
  std::vector<DeviceRecord> devices() const;
  /// Devices that are not revoked.
  std::size_t device_count() const;

  // Keys of those who ask for predictions.
  /// Throws Error(already_exists) where there is one of that name.
  void add_inference_key(const InferenceKeyRecord& key);
  /// Throws Error(not_found) where there is none of that name.
  void remove_inference_key(const std::string& name);
  std::vector<InferenceKeyRecord> inference_keys() const;

  // Tasks. Adding one adds its first version too.
  void add_task(const TaskRecord& task, const VersionRecord& first);
  std::optional<TaskRecord> task(const std::string& name) const;
  std::vector<TaskRecord> tasks() const;

  // Versions.
  VersionRecord latest_version(const std::string& task) const;
  std::optional<VersionRecord> version(const std::string& task, std::uint64_t version) const;
  std::vector<VersionRecord> versions(const std::string& task) const;
  /// The versions after `after`, oldest first, at most `limit`.
  std::vector<VersionRecord> versions(const std::string& task, std::uint64_t after,
                                      std::uint32_t limit) const;

  /// Adds the version after the latest, which no round has made. Throws Error(invalid_argument) for another
  /// one.
  void add_version(const VersionRecord& version);

  // What is kept no longer.
  /// The numbers of a task's committed rounds, from the newest on, at most as many as are kept.
  std::vector<std::uint64_t> committed_rounds(const std::string& task, const KeepCount& keep) const;
  /// Records that the versions older than the newest ones are pruned, but for those from which an open round
  /// trains, or a committed one did whose updates are kept. Returns the oldest that was not pruned before;
  /// nothing where all were.
  std::optional<std::uint64_t> prune_versions(const std::string& task, const KeepCount& keep,
                                              const KeepCount& keep_updates = {0});
  /// The weights, states and differences of a task's pruned versions from `from` on that nothing else refers
  /// to, no version that is kept nor any task.
  std::vector<Digest> unneeded_blobs(const std::string& task, std::uint64_t from) const;

  // Rounds. At most one round of a task is open.
  /// The open round and its participants; nothing where none is open.
  std::optional<RoundRecord> open_round(const std::string& task) const;
  std::vector<ParticipantRecord> participants(const std::string& task, std::uint64_t round) const;
  /// One of them.
  std::optional<ParticipantRecord> participant(const std::string& task, std::uint64_t round,
                                               const std::string& device) const;
  /// Whether this update to work of `round` counts in it, or in a buffer after it up to `last_round`.
  bool has_accepted(const std::string& task, std::uint64_t round, std::uint64_t last_round,
                    const std::string& device, const Digest& hash) const;
  std::vector<RoundRecord> rounds(const std::string& task) const;
  /// Of the devices that were selected for rounds from version `from` on: those that have not been heard of
  /// since, neither in that round nor in one after it, with the round.
  std::vector<OpenWorkRecord> open_work(const std::string& task, std::uint64_t from) const;
  /// The rounds after `after`, oldest first, at most `limit`, with what their participants did.
  std::vector<RoundSummary> round_summaries(const std::string& task, std::uint64_t after,
                                            std::uint32_t limit) const;
  /// When the last update of each device was accepted that became part of a version.
  std::map<std::string, Timestamp> participations(const std::string& task) const;
  /// Throws Error(already_exists) where a round of the task is open.
  void begin_round(const RoundRecord& round, const std::vector<std::string>& cohort);
  /// A device that joins an open round later.
  void add_participant(const std::string& task, std::uint64_t round, const std::string& device);
  /// Records accepted and refused updates, all or none; from the return on an accepted one is never lost
  /// (I3). It stands: a second of the device is already_exists. A refused one is replaced, though no round
  /// lets its device in again. One of work that an earlier round offered moves its device from there to this
  /// round. With Durability::relaxed they are written but not synced.
  void record_updates(const std::string& task, std::uint64_t round,
                      const std::vector<ParticipantRecord>& updates,
                      Durability durability = Durability::fsync);
  /// The round is committed and its version, the one after the latest, is there, both or neither. `endings`
  /// are of devices that have sent no update.
  void commit_round(const std::string& task, std::uint64_t round, Timestamp closed,
                    const VersionRecord& version, const Endings& endings = {});
  void abandon_round(const std::string& task, std::uint64_t round, Timestamp closed,
                     const std::string& reason, const Endings& endings = {});

  // Evaluations of versions by devices. At most one of a task is open, and each version has at most one.
  /// Those of versions after `after`, oldest first, at most `limit`.
  std::vector<EvaluationRecord> evaluations(const std::string& task, std::uint64_t after,
                                            std::uint32_t limit) const;
  std::vector<EvaluatorRecord> evaluators(const std::string& task, std::uint64_t evaluation) const;
  /// Throws Error(already_exists) where one of the task is open, or the version has one.
  void begin_evaluation(const EvaluationRecord& evaluation, const std::vector<std::string>& devices);
  /// Devices that come to an open evaluation later. Throws Error(already_exists) where one has a part in it.
  void add_evaluators(const std::string& task, std::uint64_t evaluation,
                      const std::vector<std::string>& devices, Timestamp at);
  /// Records what a device reported, or that its report was refused or declined; either stands. Throws
  /// Error(failed_precondition) where it was not selected or has done so. With Durability::relaxed it is
  /// written but not synced.
  void record_report(const std::string& task, std::uint64_t evaluation, const EvaluatorRecord& report,
                     Durability durability = Durability::fsync);
  /// Records the end of an open evaluation: its state, moment, reason and summary.
  void close_evaluation(const EvaluationRecord& ended);

 private:
  struct Database;
  explicit Ledger(std::unique_ptr<Database> database);
  /// The version as it was read from its own row, and its difference.
  VersionRecord with_difference(VersionRecord version) const;
  std::unique_ptr<Database> database_;
};

}  // namespace fl::server
