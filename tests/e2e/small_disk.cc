#include "tests/e2e/small_disk.h"

#include <cerrno>
#include <fcntl.h>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace fl::test {
namespace {

/// What this process mounts from here on is seen by it and its children alone, and gone with the last of
/// them.
bool mounts_are_our_own() {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

}  // namespace

SmallDisk::SmallDisk(std::filesystem::path folder, std::uint64_t bytes) : folder_(std::move(folder)) {
  std::filesystem::create_directory(folder_);
  const std::string size = "size=" + std::to_string(bytes);
  mounted_ = mounts_are_our_own() && ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, size.c_str()) == 0;
}

SmallDisk::~SmallDisk() {
  if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
}

void SmallDisk::fill() {
  const FileDescriptor file = open_file(ballast(), O_WRONLY | O_CREAT | O_TRUNC);
  const std::vector<char> page(4096);
  while (::write(file.get(), page.data(), page.size()) > 0) {
  }
  if (errno != ENOSPC) throw std::system_error(errno, std::generic_category(), ballast());
}

void SmallDisk::free() {
  std::filesystem::remove(ballast());
}

}  // namespace fl::test
