#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "common/base/digest.h"
#include "common/base/files.h"
#include "common/model/encoding.h"

namespace fl::server {

/// An update in the spool, open, decoded as it is read. Any number of threads may read at a time.
class UpdateFile {
 public:
  /// Throws Error: invalid_data unless it has the bytes of so many elements; as the system fails where it
  /// cannot be opened.
  UpdateFile(std::filesystem::path path, Encoding encoding, std::size_t elements);

  const std::filesystem::path& path() const { return path_; }
  std::size_t elements() const { return elements_; }
  /// The elements from `first` on as they are, NaN and infinities too. Throws Error as the disk fails.
  void read(std::size_t first, std::span<float> values) const;
  /// SHA-256 of its bytes. Throws Error as the disk fails.
  Digest hash() const;

 private:
  std::filesystem::path path_;
  Encoding encoding_;
  std::size_t elements_;
  FileDescriptor file_;
};

}  // namespace fl::server
