#include "common/base/disk.h"

#include <cerrno>
#include <cstdio>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "common/base/error.h"

namespace fl {
namespace {

class SystemDisk final : public Disk {
 public:
  FileDescriptor open(const std::filesystem::path& path, int flags, FileMode mode) override {
    return open_file(path, flags, mode);
  }

  void write(const FileDescriptor& file, std::uint64_t offset, ByteView content,
             const std::filesystem::path& path) override {
    while (!content.empty()) {
      const ssize_t count = ::pwrite(file.get(), content.data(), content.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw_system_error(errno, "writing " + path.string());
      offset += static_cast<std::uint64_t>(count);
      content = content.subspan(static_cast<std::size_t>(count));
    }
  }

  void resize(const FileDescriptor& file, std::uint64_t length, const std::filesystem::path& path) override {
    if (::ftruncate(file.get(), static_cast<off_t>(length)) != 0)
      throw_system_error(errno, "changing the length of " + path.string());
  }

  void sync(const FileDescriptor& file, const std::filesystem::path& path) override { sync_file(file, path); }

  void rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) throw_system_error(errno, "writing " + to.string());
  }

  void remove(const std::filesystem::path& path) override {
    if (::remove(path.c_str()) != 0 && errno != ENOENT)
      throw_system_error(errno, "removing " + path.string());
  }

  void make_folder(const std::filesystem::path& path) override {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
      throw_system_error(errno, "making the folder " + path.string());
  }

  void sync_folder(const std::filesystem::path& folder) override { fl::sync_folder(folder); }
};

}  // namespace

Disk& system_disk() {
  static SystemDisk disk;  // which has no state
  return disk;
}

void remove_all(const std::filesystem::path& path, Disk& disk) {
  std::error_code ended;
  if (std::filesystem::is_directory(std::filesystem::symlink_status(path, ended))) {
    std::filesystem::directory_iterator entry(path, ended);
    for (; !ended && entry != std::filesystem::directory_iterator(); entry.increment(ended)) {
      remove_all(entry->path(), disk);
    }
  }
  disk.remove(path);
}

void remove_if_possible(const std::filesystem::path& path, Disk& disk) noexcept {
  try {
    remove_all(path, disk);
  } catch (const std::exception&) {
    return;
  }
}

}  // namespace fl
