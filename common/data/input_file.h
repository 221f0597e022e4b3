#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "common/base/files.h"

namespace fl {

/// A file of somebody's data, read once from its start to its end. Whatever reads it keeps no more of it than
/// it asks for, so that a file may be larger than the memory. One thread at a time.
class InputFile {
 public:
  /// Throws Error: not_found, permission_denied, or invalid_argument where `path` is a folder.
  explicit InputFile(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  /// In bytes, as it was when the file was opened; 0 for a pipe.
  std::uint64_t size() const { return size_; }

  /// Fills `buffer`, or as much of it as the rest of the file does; returns how many bytes that was.
  std::size_t read(std::span<std::byte> buffer);

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
  std::uint64_t size_ = 0;
};

}  // namespace fl
