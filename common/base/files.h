#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace fl {

/// Who may read a file that is written.
enum class FileMode { shared = 0644, secret = 0600 };

/// Reads a whole file. Throws Error: not_found, permission_denied, or resource_exhausted where the file
/// is larger than `limit` bytes.
Bytes read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 40U);
std::string read_text_file(const std::filesystem::path& path, std::size_t limit = std::size_t{1} << 30U);

/// Puts `content` at `path` so that a reader, or a machine that loses power, sees the old file or the new
/// one and nothing between: written beside it, synced, renamed, directory synced. The folder must exist.
/// Throws Error as the system fails, and then the old file is still there and no other is left behind.
void write_file_atomically(const std::filesystem::path& path, ByteView content,
                           FileMode mode = FileMode::shared);

/// Makes a folder and its parents, readable by the owner alone (0700), if they are not there.
void make_private_folder(const std::filesystem::path& path);

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

/// Waits until what was written is on the disk; throws Error naming `path`.
void sync_file(const FileDescriptor& file, const std::filesystem::path& path);

}  // namespace fl
