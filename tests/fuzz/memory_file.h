#pragma once

#include <filesystem>
#include <string>
#include <sys/mman.h>

#include "common/base/files.h"

namespace fl::fuzz {

/// A file that is in memory only, for readers that take a path.
class MemoryFile {
 public:
  explicit MemoryFile(ByteView content) : file_(memfd_create("fuzz", MFD_CLOEXEC)) {
    write_all(file_, content, path());
  }

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }

 private:
  FileDescriptor file_;
};

}  // namespace fl::fuzz
