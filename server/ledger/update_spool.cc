#include "server/ledger/update_spool.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include "common/base/error.h"

namespace fl::server {
namespace {

constexpr std::size_t read_piece = std::size_t{1} << 20U;
constexpr const char* part_suffix = ".part";

/// Names become names of files, so that they are looked at again here, whoever checked them before.
void check_name(const std::string& name, const char* what) {
  const bool good = !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  if (!good) {
    throw Error(ErrorCode::invalid_argument,
                "'" + name + "' names no " + what + ": only a-z, 0-9, '_' and '-' may stand in it");
  }
}

struct stat status_of(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) throw_system_error(errno, "reading " + path.string());
  return status;
}

/// Opens an update for one receiver alone. Two could otherwise write into what one of them has finished.
FileDescriptor open_alone(const std::filesystem::path& path, int flags) {
  while (true) {
    FileDescriptor file = open_file(path, flags, FileMode::secret);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      throw Error(ErrorCode::failed_precondition,
                  "the update " + path.string() + " is being received already");
    }
    struct stat named{};
    const struct stat opened = status_of(file, path);
    // Between opening and locking the other receiver may have finished and renamed it.
    if (::stat(path.c_str(), &named) == 0 && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev) {
      return file;
    }
  }
}

/// What lies in a folder, as far as it can be read: it may go meanwhile.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code ended;
  std::filesystem::directory_iterator entry(folder, ended);
  for (; !ended && entry != std::filesystem::directory_iterator(); entry.increment(ended)) {
    paths.push_back(entry->path());
  }
  return paths;
}

/// One device has one update on its way in a round, so that it takes no more of the disk than that.
void remove_other_parts(const std::filesystem::path& part, const std::string& device) {
  for (const std::filesystem::path& path : entries_of(part.parent_path())) {
    const std::string name = path.filename().string();
    const bool is_of_device = name.size() == part.filename().string().size() &&
                              name.starts_with(device + "-") && name.ends_with(part_suffix);
    if (is_of_device && path != part) ::unlink(path.c_str());
  }
}

}  // namespace

IncomingUpdate::IncomingUpdate(FileDescriptor file, std::filesystem::path part,
                               std::filesystem::path final_path, std::uint64_t length, const Digest& hash)
    : part_(std::move(part)),
      final_path_(std::move(final_path)),
      length_(length),
      hash_(hash),
      file_(std::move(file)) {
  hash_what_is_there();
}

void IncomingUpdate::hash_what_is_there() {
  const auto size = static_cast<std::uint64_t>(status_of(file_, part_).st_size);
  const std::uint64_t usable = size > length_ ? 0 : size;
  Bytes piece(static_cast<std::size_t>(std::min<std::uint64_t>(read_piece, usable)));
  while (offset_ < usable) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), usable - offset_));
    const ssize_t count = ::pread(file_.get(), piece.data(), wanted, static_cast<off_t>(offset_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(errno, "reading " + part_.string());
    if (count == 0) break;
    running_.update(ByteView(piece).first(static_cast<std::size_t>(count)));
    offset_ += static_cast<std::uint64_t>(count);
  }
}

void IncomingUpdate::append(ByteView chunk) {
  if (chunk.size() > length_ - offset_) {
    throw Error(ErrorCode::protocol,
                "the update is longer than the " + std::to_string(length_) + " bytes that were announced");
  }
  std::size_t done = 0;
  while (done < chunk.size()) {
    const ssize_t count =
        ::pwrite(file_.get(), chunk.data() + done, chunk.size() - done, static_cast<off_t>(offset_ + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(errno, "writing " + part_.string());
    done += static_cast<std::size_t>(count);
  }
  running_.update(chunk);
  offset_ += chunk.size();
}

bool IncomingUpdate::finish(Durability durability) {
  if (!complete()) {
    throw Error(ErrorCode::failed_precondition,
                "the update has " + std::to_string(offset_) + " of " + std::to_string(length_) + " bytes");
  }
  if (running_.finish() != hash_) {
    ::unlink(part_.c_str());
    return false;
  }
  const bool sync = durability == Durability::fsync;
  if (sync) sync_file(file_, part_);
  if (::rename(part_.c_str(), final_path_.c_str()) != 0) {
    throw_system_error(errno, "renaming " + part_.string());
  }
  if (sync) sync_folder(final_path_.parent_path());
  return true;
}

std::filesystem::path spooled_path(const std::filesystem::path& folder, const std::string& task,
                                   std::uint64_t round, const std::string& device, const Digest& hash) {
  check_name(task, "task");
  check_name(device, "device");
  return folder / task / std::to_string(round) / (device + "-" + hash.hex());
}

UpdateSpool::UpdateSpool(std::filesystem::path folder) : folder_(std::move(folder)) {
  make_private_folder(folder_);
}

std::filesystem::path UpdateSpool::path(const std::string& task, std::uint64_t round,
                                        const std::string& device, const Digest& hash) const {
  return spooled_path(folder_, task, round, device, hash);
}

IncomingUpdate UpdateSpool::receive(const std::string& task, std::uint64_t round, const std::string& device,
                                    const Digest& hash, std::uint64_t length) const {
  const std::filesystem::path final_path = path(task, round, device, hash);
  make_private_folder(final_path.parent_path());
  std::error_code ignored;
  if (std::filesystem::file_size(final_path, ignored) == length && !ignored) {
    return {open_alone(final_path, O_RDONLY), final_path, final_path, length, hash};
  }
  const std::filesystem::path part = final_path.string() + part_suffix;
  remove_other_parts(part, device);
  FileDescriptor file = open_alone(part, O_RDWR | O_CREAT);
  if (static_cast<std::uint64_t>(status_of(file, part).st_size) > length && ::ftruncate(file.get(), 0) != 0) {
    throw_system_error(errno, "shortening " + part.string());
  }
  return {std::move(file), part, final_path, length, hash};
}

void UpdateSpool::keep_only(const std::string& task, std::uint64_t round) const {
  check_name(task, "task");
  std::error_code ignored;  // what cannot be removed now is tried again at the next start
  for (const std::filesystem::path& path : entries_of(folder_ / task)) {
    if (path.filename() != std::to_string(round)) std::filesystem::remove_all(path, ignored);
  }
}

void UpdateSpool::remove_round(const std::string& task, std::uint64_t round) const {
  check_name(task, "task");
  std::error_code problem;
  const std::filesystem::path folder = folder_ / task / std::to_string(round);
  std::filesystem::remove_all(folder, problem);
  if (problem) throw_system_error(problem.value(), "removing " + folder.string());
}

}  // namespace fl::server
