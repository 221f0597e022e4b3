#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/digest.h"

namespace fl {

/// What the writes of a server go through, see disk.h; and the machine's own.
class Disk;
Disk& system_disk();

/// Who may read a file that is written.
enum class FileMode { shared = 0644, secret = 0600 };

/// Reads a file, or a pipe, to its end. Throws Error: not_found, permission_denied, invalid_argument where it
/// is a folder, or resource_exhausted where there are more than `limit` bytes.
Bytes read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 40U);
std::string read_text_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 30U);

/// Makes a folder and its parents, readable by the owner alone (0700), if they are not there; those that it
/// makes are durable.
void make_private_folder(const std::filesystem::path& path, Disk& disk = system_disk());

/// Makes a rename or a new file in `folder` durable.
void sync_folder(const std::filesystem::path& folder);

/// An owned file descriptor. Movable, closed by its owner's end.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const { return descriptor_; }
  bool valid() const { return descriptor_ >= 0; }
  int release();

 private:
  int descriptor_ = -1;
};

/// Opens as open(2) does, close-on-exec; throws Error naming the path.
FileDescriptor open_file(const std::filesystem::path& path, int flags, FileMode mode = FileMode::shared);

/// Writes all of `content` at the descriptor's position; throws Error naming `path`.
void write_all(const FileDescriptor& file, ByteView content, const std::filesystem::path& path);

/// Fills `into` from `offset` on; throws Error naming `path`, invalid_data where the file ends before.
void read_at(const FileDescriptor& file, std::uint64_t offset, std::span<std::byte> into,
             const std::filesystem::path& path);

/// SHA-256 of all that a file holds, read in pieces; throws Error naming `path`.
Digest sha256_of_file(const FileDescriptor& file, const std::filesystem::path& path);

/// Waits until what was written is on the disk; throws Error naming `path`.
void sync_file(const FileDescriptor& file, const std::filesystem::path& path);

/// A file in the making, which commit() puts at `path` so that a reader, or a machine that loses power, sees
/// the old file or the new one and nothing between: it is written beside it, synced, renamed, and its folder
/// synced. Until then the old file is as it was, and the destructor leaves no other behind. Where `path` is a
/// symbolic link, the file that it leads to is replaced. One thread at a time.
class FileDraft {
 public:
  /// The folder must be there. Throws Error: invalid_argument where something is at `path` that is no
  /// regular file, such as a folder, a pipe or a device, or a link that leads nowhere; as the system fails.
  /// `disk` outlives it.
  explicit FileDraft(const std::filesystem::path& path, FileMode mode = FileMode::shared,
                     Disk& disk = system_disk());
  FileDraft(const FileDraft&) = delete;
  FileDraft& operator=(const FileDraft&) = delete;
  ~FileDraft();

  /// Throws Error as the system fails.
  void write(ByteView content);
  /// Throws Error as the system fails, and then the old file is still there; but where syncing the folder
  /// fails, the new one is there already and a loss of power may bring the old one back.
  void commit();
  /// The same at another path of the same folder, for a name that follows from what was written.
  void commit_as(const std::filesystem::path& path);

 private:
  Disk& disk_;
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  FileDescriptor file_;
  std::uint64_t written_ = 0;
};

/// Puts `content` at `path` by a FileDraft. Throws as it does.
void write_file_atomically(const std::filesystem::path& path, ByteView content,
                           FileMode mode = FileMode::shared, Disk& disk = system_disk());

}  // namespace fl
