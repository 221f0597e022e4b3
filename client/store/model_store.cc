#include "client/store/model_store.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "client/store/rebuild.h"
#include "common/base/error.h"
#include "common/base/files.h"
#include "protocol/limits.h"

namespace fl::client {
namespace {

namespace fs = std::filesystem;

constexpr const char* champion_file = "champion.json";
constexpr const char* last_good_file = "last-good.json";
constexpr const char* plan_file = "plan.json";
constexpr std::size_t read_bytes = std::size_t{1} << 20U;

[[noreturn]] void refuse_part(const fs::path& path, const std::string& why) {
  throw Error(ErrorCode::invalid_data, path.string() + " is damaged: " + why);
}

void require_size(const FileDescriptor& file, const fs::path& path, std::uint64_t bytes) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) throw_system_error(errno, "reading " + path.string());
  if (static_cast<std::uint64_t>(status.st_size) != bytes) {
    refuse_part(path, "it has " + std::to_string(status.st_size) + " bytes, its manifest says " +
                          std::to_string(bytes));
  }
}

void read_exactly(const FileDescriptor& file, const fs::path& path, std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t count = ::read(file.get(), into.data(), into.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(errno, "reading " + path.string());
    if (count == 0) refuse_part(path, "it is cut off");
    into = into.subspan(static_cast<std::size_t>(count));
  }
}

/// Reads the file that must have `into.size()` bytes and this hash.
void read_verified(const fs::path& path, const Digest& hash, std::span<std::byte> into) {
  const FileDescriptor file = open_file(path, O_RDONLY);
  require_size(file, path, into.size());
  Sha256 hasher;
  while (!into.empty()) {
    const std::span<std::byte> piece = into.first(std::min(read_bytes, into.size()));
    read_exactly(file, path, piece);
    hasher.update(piece);
    into = into.subspan(piece.size());
  }
  if (hasher.finish() != hash) refuse_part(path, "its hash is not the one in its signed manifest");
}

/// What is wrong with the file, or "".
std::string damage_of_file(const fs::path& path, const Digest& hash, std::uint64_t bytes) {
  try {
    const FileDescriptor file = open_file(path, O_RDONLY);
    require_size(file, path, bytes);
    Sha256 hasher;
    std::vector<std::byte> buffer(read_bytes);
    for (std::uint64_t left = bytes; left > 0;) {
      const std::span<std::byte> piece(buffer.data(), std::min<std::uint64_t>(left, buffer.size()));
      read_exactly(file, path, piece);
      hasher.update(piece);
      left -= piece.size();
    }
    return hasher.finish() == hash ? ""
                                   : path.string() + " is damaged: its hash is not the one in its manifest";
  } catch (const Error& error) {
    return error.what();
  }
}

std::uint64_t weights_bytes(const Manifest& manifest) {
  return manifest.weights_count * sizeof(float);
}

}  // namespace

bool ModelStore::is_task_name(const std::string& task) {
  return !task.empty() && task.size() <= limits::name_bytes &&
         task.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
}

ModelStore::ModelStore(fs::path folder, std::string task, const PublicKey& key, Access access)
    : folder_(std::move(folder)), task_(std::move(task)), key_(key), access_(access) {
  if (!is_task_name(task_)) {
    throw Error(ErrorCode::invalid_argument,
                "'" + task_ + "' is no name of a task: 1 to 64 characters of a-z, 0-9, '_' and '-'");
  }
  load();
}

void ModelStore::load() {
  damage_.clear();
  std::optional<VersionFile> champion = read_or_note(champion_file);
  std::optional<VersionFile> last_good = read_or_note(last_good_file);
  for (const auto* file : {&champion, &last_good}) {
    if (*file) highest_ = std::max(highest_, (*file)->highest);
  }
  last_good_ = last_good ? std::optional(last_good->version) : std::nullopt;
  champion_ = champion ? std::optional(champion->version) : last_good_;
}

std::optional<VersionFile> ModelStore::read_or_note(const char* file) {
  try {
    return read_version_file(folder_ / file, task_, key_);
  } catch (const Error& error) {
    note("task " + task_ + ": " + error.what());
    damage_ += (damage_.empty() ? "" : "; ") + std::string(error.what());
    return std::nullopt;
  }
}

void ModelStore::note(const std::string& trouble) {
  if (noted_.insert(trouble).second) troubles_.push_back(trouble);
}

std::optional<StoredVersion> ModelStore::champion() const {
  const std::lock_guard lock(mutex_);
  return champion_;
}

Error ModelStore::absence() const {
  const std::lock_guard lock(mutex_);
  if (damage_.empty()) {
    return {ErrorCode::failed_precondition,
            "there is no model of " + task_ + " on this device yet; it comes with the next connection"};
  }
  return {ErrorCode::failed_precondition,
          "there is no model of " + task_ + " on this device that can be used: " + damage_ +
              "; the next connection to the server, such as 'fl-client sync' makes, fetches it again"};
}

std::optional<StoredVersion> ModelStore::last_good() const {
  const std::lock_guard lock(mutex_);
  return last_good_;
}

std::uint64_t ModelStore::highest_accepted() const {
  const std::lock_guard lock(mutex_);
  return highest_;
}

void ModelStore::refresh() {
  const std::lock_guard lock(mutex_);
  load();
}

void ModelStore::check_parts() {
  if (access_ == Access::owner) remove_leftovers();
  std::optional<StoredVersion> version = champion();
  if (!version) return;
  const std::string damage = damage_of(*version);
  if (!damage.empty()) fall_back(version->manifest.version, damage);
}

/// Files that were being written when this device lost power.
void ModelStore::remove_leftovers() {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, ignored)) {
    if (entry.path().filename().string().find(".json.tmp.") != std::string::npos) {
      fs::remove(entry.path(), ignored);
    }
  }
}

std::string ModelStore::damage_of(const StoredVersion& version) const {
  const Manifest& manifest = version.manifest;
  std::string damage =
      damage_of_file(part_path(manifest.archive_hash), manifest.archive_hash, manifest.archive_bytes);
  if (!damage.empty()) return damage;
  return damage_of_file(part_path(manifest.weights_hash), manifest.weights_hash, weights_bytes(manifest));
}

void ModelStore::fall_back(std::uint64_t version, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (!champion_ || champion_->manifest.version != version) return;
  const StoredVersion damaged = *champion_;
  const bool replaced =
      last_good_ && last_good_->manifest.version != version && damage_of(*last_good_).empty();
  champion_ = replaced ? last_good_ : std::nullopt;
  damage_ = "version " + std::to_string(version) + " cannot be used: " + reason;
  note("task " + task_ + ": " + damage_ +
       (replaced ? "; version " + std::to_string(champion_->manifest.version) + " serves instead"
                 : "; no version is left, the next one from the server will serve"));
  if (access_ == Access::guest) return;
  if (replaced) write_version_file(folder_ / champion_file, {*champion_, highest_});
  remove_damaged_parts(damaged.manifest);
}

void ModelStore::remove_damaged_parts(const Manifest& manifest) {
  std::error_code ignored;
  if (!damage_of_file(part_path(manifest.archive_hash), manifest.archive_hash, manifest.archive_bytes)
           .empty()) {
    fs::remove(part_path(manifest.archive_hash), ignored);
  }
  if (!damage_of_file(part_path(manifest.weights_hash), manifest.weights_hash, weights_bytes(manifest))
           .empty()) {
    fs::remove(part_path(manifest.weights_hash), ignored);
  }
}

std::vector<std::string> ModelStore::take_troubles() {
  const std::lock_guard lock(mutex_);
  return std::exchange(troubles_, {});
}

Manifest ModelStore::check(const SignedManifest& manifest) const {
  const std::lock_guard lock(mutex_);
  return check_locked(manifest);
}

Manifest ModelStore::check_locked(const SignedManifest& signed_manifest) const {
  Manifest manifest = verify(signed_manifest, key_);
  if (manifest.task != task_) {
    throw Error(ErrorCode::invalid_data,
                "the manifest is of the task " + manifest.task + ", one of " + task_ + " was expected");
  }
  const std::uint64_t serving = champion_ ? champion_->manifest.version : 0;
  // The highest version may come a second time where it got lost here after it was accepted.
  const bool comes_back = manifest.version == highest_ && serving < highest_;
  if (manifest.version <= highest_ && !comes_back) {
    throw Error(ErrorCode::failed_precondition, "version " + std::to_string(manifest.version) + " of " +
                                                    task_ + " is not newer than version " +
                                                    std::to_string(highest_) +
                                                    ", which this device has accepted");
  }
  return manifest;
}

bool ModelStore::has_part(const Digest& hash) const {
  return fs::exists(part_path(hash));
}

PartFile ModelStore::begin_part(const Digest& hash, std::uint64_t bytes) {
  make_private_folder(folder_ / "parts");
  return {part_path(hash), hash, bytes};
}

void ModelStore::remove_part(const Digest& hash) {
  const std::lock_guard lock(mutex_);
  std::error_code ignored;
  fs::remove(part_path(hash), ignored);
}

void ModelStore::rebuild_weights(const Manifest& manifest, const Difference& difference,
                                 const std::stop_token& stop) {
  client::rebuild_weights(part_path(difference.base), part_path(difference.hash), difference,
                          manifest.weights_count, manifest.weights_hash, part_path(manifest.weights_hash),
                          stop);
}

void ModelStore::adopt(const SignedManifest& signed_manifest, const std::optional<Evaluation>& evaluation) {
  const std::lock_guard lock(mutex_);
  const Manifest manifest = check_locked(signed_manifest);
  for (const Digest& part : {manifest.archive_hash, manifest.weights_hash}) {
    if (!has_part(part))
      throw Error(ErrorCode::failed_precondition, part_path(part).string() + " is missing");
  }
  if (champion_) {
    write_version_file(folder_ / last_good_file, {*champion_, highest_});
    last_good_ = champion_;
  }
  const StoredVersion version{signed_manifest, manifest, evaluation};
  write_version_file(folder_ / champion_file, {version, std::max(highest_, manifest.version)});
  champion_ = version;
  highest_ = std::max(highest_, manifest.version);
  noted_.clear();
  remove_unneeded();
}

void ModelStore::discard(const Manifest&) {
  const std::lock_guard lock(mutex_);
  remove_unneeded();
}

void ModelStore::remove_unneeded() {
  std::set<std::string> needed;
  for (const auto* version : {&champion_, &last_good_}) {
    if (!*version) continue;
    needed.insert((*version)->manifest.archive_hash.hex());
    needed.insert((*version)->manifest.weights_hash.hex());
  }
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_ / "parts", ignored)) {
    if (!needed.contains(entry.path().filename().string())) fs::remove(entry.path(), ignored);
  }
}

void ModelStore::remember_plan(const TrainingPlan& plan) {
  const std::lock_guard lock(mutex_);
  const std::string text = to_json(Plan{plan, {}});
  const std::optional<TrainingPlan> last = read_plan();
  if (last && to_json(Plan{*last, {}}) == text) return;
  write_file_atomically(folder_ / plan_file, as_bytes(text), FileMode::secret);
}

std::optional<TrainingPlan> ModelStore::last_plan() {
  const std::lock_guard lock(mutex_);
  return read_plan();
}

std::optional<TrainingPlan> ModelStore::read_plan() {
  const fs::path path = folder_ / plan_file;
  if (std::error_code none; !fs::exists(path, none)) return std::nullopt;
  try {
    return plan_from_json(read_text_file(path, read_bytes)).training;
  } catch (const Error& error) {
    note("task " + task_ + ": the plan of the last round is lost: " + path.string() +
         " is damaged: " + error.what());
    return std::nullopt;
  }
}

Bytes ModelStore::read_archive(const Manifest& manifest) const {
  const fs::path path = part_path(manifest.archive_hash);
  require_size(open_file(path, O_RDONLY), path, manifest.archive_bytes);  // before so much is set aside
  Bytes archive(manifest.archive_bytes);
  read_verified(path, manifest.archive_hash, archive);
  return archive;
}

void ModelStore::read_weights(const Manifest& manifest, std::span<float> weights) const {
  read_verified(part_path(manifest.weights_hash), manifest.weights_hash, std::as_writable_bytes(weights));
}

void ModelStore::read_control(const Digest& hash, std::span<float> control) const {
  read_verified(part_path(hash), hash, std::as_writable_bytes(control));
}

fs::path ModelStore::part_path(const Digest& hash) const {
  return folder_ / "parts" / hash.hex();
}

}  // namespace fl::client
