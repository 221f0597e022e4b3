#pragma once

#include <cstdint>
#include <filesystem>

#include "common/base/bytes.h"
#include "common/base/files.h"

namespace fl {

/// Everything by which a server changes its folder goes through here, and nothing that only reads: so that a
/// test can pass in a disk that fails, or loses what was not synced. What is written is durable once the file
/// was synced and, where its name is new, the folder that it is in. Every path is one of this disk.
///
/// Any thread. All throw Error as the system fails, naming the path.
class Disk {
 public:
  virtual ~Disk() = default;

  /// Opens as open(2) does, close-on-exec; with O_CREAT in `flags` it may make the file.
  virtual FileDescriptor open(const std::filesystem::path& path, int flags, FileMode mode) = 0;
  /// Writes all of `content` from `offset` on. A write that fails may have written a part.
  virtual void write(const FileDescriptor& file, std::uint64_t offset, ByteView content,
                     const std::filesystem::path& path) = 0;
  /// Cuts a file off, or lengthens it by zeros.
  virtual void resize(const FileDescriptor& file, std::uint64_t length,
                      const std::filesystem::path& path) = 0;
  /// Returns once what was written is on the disk. Where it fails, what was written since the last time may
  /// never be, though a later sync succeeds.
  virtual void sync(const FileDescriptor& file, const std::filesystem::path& path) = 0;
  /// Both in one folder; what had the name `to` is replaced.
  virtual void rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  /// A file, or an empty folder. No error where it is not there.
  virtual void remove(const std::filesystem::path& path) = 0;
  /// One folder, for its owner alone (0700), within one that is there. No error where it is there.
  virtual void make_folder(const std::filesystem::path& path) = 0;
  /// Makes names that were added to the folder, changed or removed durable.
  virtual void sync_folder(const std::filesystem::path& folder) = 0;
};

/// Removes a file, or a folder with all that is in it. No error where it is not there.
void remove_all(const std::filesystem::path& path, Disk& disk);

/// The same for what takes room and does no harm: where it cannot be removed now, it stays.
void remove_if_possible(const std::filesystem::path& path, Disk& disk) noexcept;

}  // namespace fl
