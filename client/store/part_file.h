#pragma once

#include <cstdint>
#include <filesystem>

#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/base/files.h"

namespace fl::client {

/// A part of a version that is being fetched: NAME.part until all of it is there and its hash is right, then
/// NAME. What an interrupted fetch left is gone on from. One thread at a time.
class PartFile {
 public:
  /// `path` is the finished file's. Throws Error as the system fails.
  PartFile(std::filesystem::path path, const Digest& hash, std::uint64_t bytes);

  /// How many bytes are there: where to fetch from.
  std::uint64_t offset() const { return offset_; }
  std::uint64_t bytes() const { return bytes_; }
  bool complete() const { return offset_ == bytes_; }

  /// Throws Error: protocol where there is more than announced; as the system fails, and then what was
  /// fetched stays and a new PartFile goes on from it (I10).
  void append(ByteView bytes);

  /// Makes the complete part durable under its name. Throws Error(invalid_data) where its hash is another;
  /// what was fetched is gone then.
  void finish();

 private:
  void resume();
  void discard() noexcept;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  Digest hash_;
  std::uint64_t bytes_;
  std::uint64_t offset_ = 0;
  FileDescriptor file_;
  Sha256 hasher_;
};

}  // namespace fl::client
