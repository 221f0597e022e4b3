#include "common/base/files.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "common/base/disk.h"
#include "common/base/error.h"

namespace fl {
namespace {

constexpr std::size_t read_bytes = std::size_t{64} << 10U;

[[noreturn]] void refuse_size(const std::filesystem::path& path, std::size_t limit) {
  throw Error(ErrorCode::resource_exhausted, path.string() + " has more than " + std::to_string(limit) +
                                                 " bytes, which is the most that is read");
}

/// How many bytes to expect; a pipe does not say.
std::size_t expected_bytes(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat status{};
  if (fstat(file.get(), &status) != 0) throw_system_error(errno, "reading " + path.string());
  if (S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::invalid_argument, path.string() + " is a folder, a file was expected");
  }
  return S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) : 0;
}

template <typename Content>
Content read_all(const std::filesystem::path& path, std::size_t limit) {
  const FileDescriptor file = open_file(path, O_RDONLY);
  const std::size_t expected = expected_bytes(file, path);
  if (expected > limit) refuse_size(path, limit);
  Content content(expected + 1, typename Content::value_type{});  // one more, to meet the end
  std::size_t done = 0;
  for (;;) {
    const ssize_t count = ::read(file.get(), content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(errno, "reading " + path.string());
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
    if (done > limit) refuse_size(path, limit);
    if (done == content.size()) content.resize(2 * done + read_bytes);
  }
  content.resize(done);
  return content;
}

/// The file that is at `path`, or will be: where a link leads to.
std::filesystem::path replaceable(const std::filesystem::path& path) {
  std::error_code failure;
  const auto there = std::filesystem::symlink_status(path, failure).type();
  if (there == std::filesystem::file_type::not_found) return path;
  if (there == std::filesystem::file_type::none)
    throw_system_error(failure.value(), "writing " + path.string());
  std::filesystem::path target = path;
  if (there == std::filesystem::file_type::symlink) target = std::filesystem::canonical(path, failure);
  if (!failure && std::filesystem::is_regular_file(target, failure)) return target;
  throw Error(ErrorCode::invalid_argument,
              path.string() + " is there and is no regular file, so that no file can be put in its place");
}

std::filesystem::path temporary_beside(const std::filesystem::path& path, Disk& disk) {
  static std::atomic<unsigned> counter{0};  // only keeps two writers of one process apart
  std::filesystem::path name =
      path.string() + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++);
  std::error_code ignored;
  if (std::filesystem::exists(name, ignored)) disk.remove(name);  // of a process of the same number
  return name;
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
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

void read_at(const FileDescriptor& file, std::uint64_t offset, std::span<std::byte> into,
             const std::filesystem::path& path) {
  while (!into.empty()) {
    const ssize_t count = ::pread(file.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(errno, "reading " + path.string());
    if (count == 0) throw Error(ErrorCode::invalid_data, path.string() + " ends too early");
    offset += static_cast<std::uint64_t>(count);
    into = into.subspan(static_cast<std::size_t>(count));
  }
}

Digest sha256_of_file(const FileDescriptor& file, const std::filesystem::path& path) {
  Sha256 running;
  Bytes piece(std::size_t{1} << 20U);
  std::uint64_t offset = 0;
  while (true) {
    const ssize_t count = ::pread(file.get(), piece.data(), piece.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(errno, "reading " + path.string());
    if (count == 0) return running.finish();
    running.update(ByteView(piece).first(static_cast<std::size_t>(count)));
    offset += static_cast<std::uint64_t>(count);
  }
}

// Without the times of the file, which take the disk as long as its content does.
void sync_file(const FileDescriptor& file, const std::filesystem::path& path) {
  if (::fdatasync(file.get()) != 0) throw_system_error(errno, "syncing " + path.string());
}

void sync_folder(const std::filesystem::path& folder) {
  const FileDescriptor opened = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (::fsync(opened.get()) != 0) throw_system_error(errno, "syncing " + folder.string());
}

Bytes read_file(const std::filesystem::path& path, std::size_t limit) {
  return read_all<Bytes>(path, limit);
}

std::string read_text_file(const std::filesystem::path& path, std::size_t limit) {
  return read_all<std::string>(path, limit);
}

FileDraft::FileDraft(const std::filesystem::path& path, FileMode mode, Disk& disk)
    : disk_(disk),
      path_(replaceable(path)),
      temporary_(temporary_beside(path_, disk)),
      file_(disk.open(temporary_, O_WRONLY | O_CREAT | O_EXCL, mode)) {}

FileDraft::~FileDraft() {
  if (file_.valid()) remove_if_possible(temporary_, disk_);
}

void FileDraft::write(ByteView content) {
  disk_.write(file_, written_, content, path_);
  written_ += content.size();
}

void FileDraft::commit_as(const std::filesystem::path& path) {
  path_ = path;
  commit();
}

void FileDraft::commit() {
  disk_.sync(file_, path_);
  disk_.rename(temporary_, path_);
  file_ = FileDescriptor();
  disk_.sync_folder(folder_of(path_));
}

void write_file_atomically(const std::filesystem::path& path, ByteView content, FileMode mode, Disk& disk) {
  FileDraft draft(path, mode, disk);
  draft.write(content);
  draft.commit();
}

void make_private_folder(const std::filesystem::path& path, Disk& disk) {
  if (std::filesystem::is_directory(path)) return;
  if (path.has_parent_path() && path.parent_path() != path) make_private_folder(path.parent_path(), disk);
  disk.make_folder(path);
  if (!std::filesystem::is_directory(path)) {
    throw Error(ErrorCode::already_exists, path.string() + " is there and is not a folder");
  }
  disk.sync_folder(folder_of(path));
}

}  // namespace fl
