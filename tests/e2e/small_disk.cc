#include "tests/e2e/small_disk.h"

#include <fcntl.h>
#include <string>
#include <sys/mount.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace fl::test {

SmallDisk::SmallDisk(std::filesystem::path folder, std::uint64_t bytes) : folder_(std::move(folder)) {
  std::filesystem::create_directory(folder_);
  const std::string size = "size=" + std::to_string(bytes);
  mounted_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, size.c_str()) == 0;
}

SmallDisk::~SmallDisk() {
  if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
}

void SmallDisk::fill() {
  const FileDescriptor file = open_file(ballast(), O_WRONLY | O_CREAT | O_TRUNC);
  const std::vector<char> page(4096);
  while (::write(file.get(), page.data(), page.size()) > 0) {
  }
}

void SmallDisk::free() {
  std::filesystem::remove(ballast());
}

}  // namespace fl::test
