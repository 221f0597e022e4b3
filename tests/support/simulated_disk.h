#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/disk.h"
#include "common/base/random.h"

namespace fl::test {

/// A disk as it is until its power goes: all that is written goes to the real files of one folder, where it
/// is read as usual; and what a machine would find there after a loss of power is kept beside it. Of a file
/// that is what had been synced, of a folder the names that it had when it was last synced. Of what was not
/// synced nothing need be left, or any part of it.
///
/// What changes something counts as an operation: making, writing, resizing, syncing, renaming, removing.
/// Refuses, by std::logic_error, what no server of ours does. Any thread.
class SimulatedDisk final : public Disk {
 public:
  /// What is in `folder` now is on the disk.
  explicit SimulatedDisk(std::filesystem::path folder);

  /// How many operations there have been.
  std::uint64_t operations() const;
  /// From operation number `operation` on, the first being 1, none does anything: the power has gone.
  void cut_power_at(std::uint64_t operation);
  bool is_cut() const;
  /// Operation number `operation`, and the `count - 1` after it, fail with `error` (an errno value). A write
  /// that fails has written its first half; what a failed sync was for is never on the disk.
  void fail_at(std::uint64_t operation, int error, std::uint64_t count = 1);
  /// What each operation was, for example "rename blobs/draft".
  std::vector<std::string> log() const;

  /// Makes `target` the folder that is found when the power is back: nothing is left of what was not synced
  /// or, with a seed, such parts of it as that draws: of what was written, sectors of 512 bytes.
  void survive(const std::filesystem::path& target, std::optional<std::uint64_t> seed = {}) const;

  FileDescriptor open(const std::filesystem::path& path, int flags, FileMode mode) override;
  void write(const FileDescriptor& file, std::uint64_t offset, ByteView content,
             const std::filesystem::path& path) override;
  void resize(const FileDescriptor& file, std::uint64_t length, const std::filesystem::path& path) override;
  void sync(const FileDescriptor& file, const std::filesystem::path& path) override;
  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  void remove(const std::filesystem::path& path) override;
  void make_folder(const std::filesystem::path& path) override;
  void sync_folder(const std::filesystem::path& folder) override;

 private:
  /// What was written to a file and not synced: bytes at an offset, or a new length.
  struct Change {
    std::uint64_t offset = 0;
    std::optional<Bytes> written;
  };
  /// A file, or a folder.
  struct Node {
    bool is_folder = false;
    Bytes synced;
    std::vector<Change> unsynced;
  };
  using NodePointer = std::shared_ptr<Node>;
  /// By paths within the folder, so that each comes after the folder that it is in.
  using Names = std::map<std::filesystem::path, NodePointer>;
  /// A name that was taken away or given, or both: renamed.
  struct NameChange {
    std::filesystem::path folder;
    std::filesystem::path taken;
    std::filesystem::path given;
    NodePointer node;
  };
  enum class Fate : std::uint8_t { succeeds, fails, power_goes };

  /// What is in the folder.
  Names found() const;
  std::filesystem::path relative(const std::filesystem::path& path) const;
  Fate begin(const std::string& what, const std::filesystem::path& path);
  void end(Fate fate, const std::string& what, const std::filesystem::path& path) const;
  void change_name(Fate fate, NameChange change);
  static void apply(const NameChange& change, Names& names);
  static void apply(const Change& change, Bytes& content);
  static Bytes torn(const Node& file, Random& random);
  Names surviving_names(std::optional<std::uint64_t> seed) const;

  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  Names present_;
  Names durable_;
  std::vector<NameChange> unsynced_names_;
  std::map<int, NodePointer> opened_;  ///< By descriptor; one that was closed stays until it is used again.
  std::vector<std::string> log_;
  std::uint64_t cut_at_ = 0;
  std::uint64_t fail_from_ = 0;
  std::uint64_t fail_until_ = 0;
  int error_ = 0;
};

}  // namespace fl::test
