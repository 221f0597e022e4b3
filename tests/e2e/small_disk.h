#pragma once

#include <cstdint>
#include <filesystem>

#include "common/base/files.h"

namespace fl::test {

/// A disk of a few megabytes (a tmpfs) that a test can fill, at `folder` until it goes, seen by this process
/// and its children alone, and gone with them however they end. Mounting takes the rights of root; without
/// them mounted() is false and the test has to be left out.
class SmallDisk {
 public:
  SmallDisk(std::filesystem::path folder, std::uint64_t bytes);
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk();

  bool mounted() const { return mounted_; }
  const std::filesystem::path& path() const { return folder_; }

  /// Leaves no byte free. Throws std::system_error where writing ends for another reason.
  void fill();
  /// Makes free what fill() took.
  void free();

 private:
  std::filesystem::path ballast() const { return folder_ / "ballast"; }

  std::filesystem::path folder_;
  bool mounted_ = false;
};

}  // namespace fl::test
