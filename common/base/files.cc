#include "common/base/files.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "common/base/error.h"

namespace fl {
namespace {

template <typename Content>
Content read_all(const std::filesystem::path& path, std::size_t limit) {
  const FileDescriptor file = open_file(path, O_RDONLY);
  struct stat status{};
  if (fstat(file.get(), &status) != 0) throw_system_error(errno, "reading " + path.string());
  if (S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::invalid_argument, path.string() + " is a folder, a file was expected");
  }
  if (static_cast<std::size_t>(status.st_size) > limit) {
    throw Error(ErrorCode::resource_exhausted, path.string() + " has " + std::to_string(status.st_size) +
                                                   " bytes, at most " + std::to_string(limit) + " are read");
  }
  Content content(static_cast<std::size_t>(status.st_size), typename Content::value_type{});
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = ::read(file.get(), content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(errno, "reading " + path.string());
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  content.resize(done);
  return content;
}

std::filesystem::path temporary_beside(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};  // only keeps two writers of one process apart
  return path.string() + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++);
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = other.release();
  }
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int FileDescriptor::release() {
  return std::exchange(descriptor_, -1);
}

FileDescriptor open_file(const std::filesystem::path& path, int flags, FileMode mode) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, static_cast<mode_t>(mode));
  if (descriptor < 0) throw_system_error(errno, "opening " + path.string());
  return FileDescriptor(descriptor);
}

void write_all(const FileDescriptor& file, ByteView content, const std::filesystem::path& path) {
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = ::write(file.get(), content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(errno, "writing " + path.string());
    done += static_cast<std::size_t>(count);
  }
}

void sync_file(const FileDescriptor& file, const std::filesystem::path& path) {
  if (::fsync(file.get()) != 0) throw_system_error(errno, "syncing " + path.string());
}

void sync_folder(const std::filesystem::path& folder) {
  sync_file(open_file(folder, O_RDONLY | O_DIRECTORY), folder);
}

Bytes read_file(const std::filesystem::path& path, std::size_t limit) {
  return read_all<Bytes>(path, limit);
}

std::string read_text_file(const std::filesystem::path& path, std::size_t limit) {
  return read_all<std::string>(path, limit);
}

void write_file_atomically(const std::filesystem::path& path, ByteView content, FileMode mode) {
  const std::filesystem::path temporary = temporary_beside(path);
  try {
    const FileDescriptor file = open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
    write_all(file, content, path);
    sync_file(file, path);
    std::filesystem::rename(temporary, path);
  } catch (const std::filesystem::filesystem_error& error) {
    ::unlink(temporary.c_str());
    throw_system_error(error.code().value(), "writing " + path.string());
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
}

void make_private_folder(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) return;
  if (path.has_parent_path() && path.parent_path() != path) make_private_folder(path.parent_path());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    throw_system_error(errno, "making the folder " + path.string());
  }
  if (!std::filesystem::is_directory(path)) {
    throw Error(ErrorCode::already_exists, path.string() + " is there and is not a folder");
  }
}

}  // namespace fl
