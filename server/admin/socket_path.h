#pragma once

#include <filesystem>
#include <string>

#include "common/base/files.h"

/// Private to server/admin.
namespace fl::server {

/// A Unix socket's path as the system takes it, in 107 bytes: where the real one is longer, a short one
/// through an open descriptor of its folder. Valid as long as this lives.
class SocketPath {
 public:
  explicit SocketPath(const std::filesystem::path& path);

  const std::string& text() const { return text_; }

 private:
  FileDescriptor folder_;
  std::string text_;
};

}  // namespace fl::server
