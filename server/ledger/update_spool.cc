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
FileDescriptor open_alone(Disk& disk, const std::filesystem::path& path, int flags) {
  while (true) {
    FileDescriptor file = disk.open(path, flags, FileMode::secret);
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

/// Of the name of a file in the spool; empty where it is none.
std::string device_of(const std::string& name) {
  const std::size_t end = name.rfind('-');
  return end == std::string::npos ? "" : name.substr(0, end);
}

/// One device has one update on its way in a round, so that it takes no more of the disk than that.
void remove_other_parts(Disk& disk, const std::filesystem::path& part, const std::string& device) {
  for (const std::filesystem::path& path : entries_of(part.parent_path())) {
    const std::string name = path.filename().string();
    const bool is_of_device = name.size() == part.filename().string().size() &&
                              name.starts_with(device + "-") && name.ends_with(part_suffix);
    if (is_of_device && path != part) disk.remove(path);
  }
}

}  // namespace

IncomingUpdate::IncomingUpdate(Disk& disk, FileDescriptor file, std::filesystem::path part,
                               std::filesystem::path final_path, std::uint64_t length, const Digest& hash,
                               Observer on_bytes)
    : disk_(&disk),
      part_(std::move(part)),
      final_path_(std::move(final_path)),
      length_(length),
      hash_(hash),
      on_bytes_(std::move(on_bytes)),
      file_(std::move(file)) {
  read_what_is_there();
}

void IncomingUpdate::read_what_is_there() {
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
    pass(ByteView(piece).first(static_cast<std::size_t>(count)));
  }
}

void IncomingUpdate::pass(ByteView bytes) {
  running_.update(bytes);
  if (on_bytes_) on_bytes_(bytes);
  offset_ += bytes.size();
}

void IncomingUpdate::append(ByteView chunk) {
  if (chunk.size() > length_ - offset_) {
    throw Error(ErrorCode::protocol,
                "the update is longer than the " + std::to_string(length_) + " bytes that were announced");
  }
  disk_->write(file_, offset_, chunk, part_);
  pass(chunk);
}

bool IncomingUpdate::finish(Durability durability) {
  if (!complete()) {
    throw Error(ErrorCode::failed_precondition,
                "the update has " + std::to_string(offset_) + " of " + std::to_string(length_) + " bytes");
  }
  if (running_.finish() != hash_) {
    disk_->remove(part_);
    return false;
  }
  const bool is_synced = durability == Durability::fsync;
  if (is_synced) sync();
  disk_->rename(part_, final_path_);
  if (is_synced) disk_->sync_folder(final_path_.parent_path());
  file_ = FileDescriptor();
  return true;
}

/// What could not be synced may never be, however often it is tried: it has to be written anew.
void IncomingUpdate::sync() {
  try {
    disk_->sync(file_, part_);
  } catch (const Error&) {
    disk_->remove(part_);
    throw;
  }
}

std::filesystem::path spooled_path(const std::filesystem::path& folder, const std::string& task,
                                   std::uint64_t round, const std::string& device, const Digest& hash) {
  check_name(task, "task");
  check_name(device, "device");
  return folder / task / std::to_string(round) / (device + "-" + hash.hex());
}

std::uint64_t spool_number(const RoundPlan& plan, std::uint64_t round) {
  return plan.asynchronous() ? 0 : round;
}

UpdateSpool::UpdateSpool(std::filesystem::path folder, Disk& disk)
    : folder_(std::move(folder)), disk_(&disk) {
  make_private_folder(folder_, disk);
}

void UpdateSpool::prepare(const std::string& task, std::uint64_t round) const {
  check_name(task, "task");
  const std::filesystem::path of_task = folder_ / task;
  disk_->make_folder(of_task);
  disk_->make_folder(of_task / std::to_string(round));
  // Also where they are there: whoever made them may have ended before they were durable.
  disk_->sync_folder(folder_);
  disk_->sync_folder(of_task);
}

std::filesystem::path UpdateSpool::path(const std::string& task, std::uint64_t round,
                                        const std::string& device, const Digest& hash) const {
  return spooled_path(folder_, task, round, device, hash);
}

IncomingUpdate UpdateSpool::receive(const std::string& task, std::uint64_t round, const std::string& device,
                                    const Digest& hash, std::uint64_t length,
                                    IncomingUpdate::Observer on_bytes) const {
  const std::filesystem::path final_path = path(task, round, device, hash);
  make_private_folder(final_path.parent_path(), *disk_);
  std::error_code ignored;
  if (std::filesystem::file_size(final_path, ignored) == length && !ignored) {
    return {*disk_,
            open_alone(*disk_, final_path, O_RDONLY),
            final_path,
            final_path,
            length,
            hash,
            std::move(on_bytes)};
  }
  const std::filesystem::path part = final_path.string() + part_suffix;
  remove_other_parts(*disk_, part, device);
  FileDescriptor file = open_alone(*disk_, part, O_RDWR | O_CREAT);
  if (static_cast<std::uint64_t>(status_of(file, part).st_size) > length) disk_->resize(file, 0, part);
  return {*disk_, std::move(file), part, final_path, length, hash, std::move(on_bytes)};
}

void UpdateSpool::remove(const std::string& task, std::uint64_t round, const std::string& device,
                         const Digest& hash) const {
  remove_if_possible(path(task, round, device, hash), *disk_);
}

void UpdateSpool::sync(const std::set<std::filesystem::path>& updates) const {
  for (const std::filesystem::path& path : updates) {
    disk_->sync(disk_->open(path, O_RDONLY, FileMode::secret), path);
  }
  if (!updates.empty()) disk_->sync_folder(updates.begin()->parent_path());
}

void UpdateSpool::keep_only(const std::string& task, const std::set<std::uint64_t>& rounds) const {
  check_name(task, "task");
  std::set<std::string> names;
  for (const std::uint64_t round : rounds) names.insert(std::to_string(round));
  for (const std::filesystem::path& path : entries_of(folder_ / task)) {
    if (!names.contains(path.filename().string())) remove_if_possible(path, *disk_);
  }
}

void UpdateSpool::keep_only(const std::string& task, std::uint64_t round,
                            const std::set<std::filesystem::path>& updates,
                            const std::set<std::string>& senders) const {
  check_name(task, "task");
  for (const std::filesystem::path& path : entries_of(folder_ / task / std::to_string(round))) {
    const bool is_part = path.extension() == part_suffix;
    const std::filesystem::path whole = is_part ? path.parent_path() / path.stem() : path;
    const bool is_awaited = is_part && senders.contains(device_of(path.filename().string()));
    if (!is_awaited && !updates.contains(whole)) remove_if_possible(path, *disk_);
  }
}

void UpdateSpool::remove_round(const std::string& task, std::uint64_t round) const {
  check_name(task, "task");
  remove_all(folder_ / task / std::to_string(round), *disk_);
}

}  // namespace fl::server
