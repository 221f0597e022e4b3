#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>

#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/base/disk.h"
#include "common/model/plan.h"

namespace fl::server {

/// An update on its way in: bytes appended to a file as they come, hashed as they pass. A transfer that was
/// cut off goes on where it was. Movable; one thread at a time.
class IncomingUpdate {
 public:
  /// Is given all its bytes once, in their order: what is there already, then each chunk that was appended.
  /// Where it throws, only the destructor may follow.
  using Observer = std::function<void(ByteView)>;

  /// How many bytes are there already; the sender goes on from here.
  std::uint64_t offset() const { return offset_; }
  std::uint64_t length() const { return length_; }
  bool complete() const { return offset_ == length_; }

  /// Throws Error(protocol) beyond the announced length; resource_exhausted where the disk is full, and then
  /// nothing of the chunk counts.
  void append(ByteView chunk);

  /// Once complete: whether the bytes hash to what was announced. If so they are in a file under the spool's
  /// final path for them, synced unless `durability` is relaxed; if not, they are gone. Only the destructor
  /// may follow. Throws Error(failed_precondition) before it is complete.
  bool finish(Durability durability = Durability::fsync);

 private:
  friend class UpdateSpool;
  IncomingUpdate(Disk& disk, FileDescriptor file, std::filesystem::path part,
                 std::filesystem::path final_path, std::uint64_t length, const Digest& hash,
                 Observer on_bytes);
  void read_what_is_there();
  void pass(ByteView bytes);
  void sync();

  Disk* disk_;
  std::filesystem::path part_;
  std::filesystem::path final_path_;
  std::uint64_t length_;
  std::uint64_t offset_ = 0;
  Digest hash_;
  Sha256 running_;
  Observer on_bytes_;
  FileDescriptor file_;
};

/// Where a finished update lies in the spool at `folder`. Throws Error(invalid_argument) for a name that is
/// none.
std::filesystem::path spooled_path(const std::filesystem::path& folder, const std::string& task,
                                   std::uint64_t round, const std::string& device, const Digest& hash);

/// The ROUND under which a round's updates lie: its number, or 0 where the task is asynchronous, since there
/// a device may begin to send an update in one round and end in the next.
std::uint64_t spool_number(const RoundPlan& plan, std::uint64_t round);

/// The folder of updates of open rounds, and of those that are kept: FOLDER/TASK/ROUND/DEVICE-HASH.
/// Different updates may be received by different threads.
class UpdateSpool {
 public:
  /// `disk`, through which all is written, outlives the spool and what it gives.
  explicit UpdateSpool(std::filesystem::path folder, Disk& disk = system_disk());

  /// Makes the folder of a round, durable when this returns: to be called before its updates are received.
  void prepare(const std::string& task, std::uint64_t round) const;
  /// Begins or resumes an update; one that was finished before is complete at once. `task` and `device` are
  /// names the server itself gave or checked. Reads what is there already, and removes what the device began
  /// to send of other updates in this round. Throws Error: invalid_argument for a name that is none;
  /// failed_precondition where the same update is being received already.
  IncomingUpdate receive(const std::string& task, std::uint64_t round, const std::string& device,
                         const Digest& hash, std::uint64_t length,
                         IncomingUpdate::Observer on_bytes = {}) const;
  /// Where a finished update lies.
  std::filesystem::path path(const std::string& task, std::uint64_t round, const std::string& device,
                             const Digest& hash) const;
  /// Removes a finished update that does not count; what cannot be removed goes with its round.
  void remove(const std::string& task, std::uint64_t round, const std::string& device,
              const Digest& hash) const;
  /// Has finished updates of one folder withstand a power cut, which were received without.
  void sync(const std::set<std::filesystem::path>& updates) const;
  /// Removes what rounds of a task other than these have left.
  void keep_only(const std::string& task, const std::set<std::uint64_t>& rounds) const;
  /// Removes what a round has but these updates, whole or in part, and what these devices have begun to send.
  void keep_only(const std::string& task, std::uint64_t round, const std::set<std::filesystem::path>& updates,
                 const std::set<std::string>& senders = {}) const;
  /// Removes what a closed round leaves.
  void remove_round(const std::string& task, std::uint64_t round) const;

 private:
  std::filesystem::path folder_;
  Disk* disk_;
};

}  // namespace fl::server
