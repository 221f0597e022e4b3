#include "tests/support/simulated_disk.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <stdexcept>
#include <utility>

#include "common/base/error.h"

namespace fl::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t sector_bytes = 512;

}  // namespace

SimulatedDisk::SimulatedDisk(fs::path folder)
    : folder_(std::move(folder)), present_(found()), durable_(present_) {}

SimulatedDisk::Names SimulatedDisk::found() const {
  Names names;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder_)) {
    if (!entry.is_directory() && !entry.is_regular_file()) continue;
    auto node = std::make_shared<Node>();
    node->is_folder = entry.is_directory();
    if (!node->is_folder) node->synced = read_file(entry.path());
    names[relative(entry.path())] = std::move(node);
  }
  return names;
}

std::uint64_t SimulatedDisk::operations() const {
  const std::lock_guard lock(mutex_);
  return log_.size();
}

std::vector<std::string> SimulatedDisk::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

void SimulatedDisk::cut_power_at(std::uint64_t operation) {
  const std::lock_guard lock(mutex_);
  cut_at_ = operation;
}

bool SimulatedDisk::is_cut() const {
  const std::lock_guard lock(mutex_);
  return cut_at_ != 0 && log_.size() >= cut_at_;
}

void SimulatedDisk::fail_at(std::uint64_t operation, int error, std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  fail_from_ = operation;
  fail_until_ = operation + count;
  error_ = error;
}

fs::path SimulatedDisk::relative(const fs::path& path) const {
  fs::path within = path.lexically_relative(folder_);
  if (within.empty() || *within.begin() == "..")
    throw std::logic_error(path.string() + " is not on the simulated disk");
  return within == "." ? fs::path() : within;
}

/// Counts an operation, and says what comes of it. Throws where the power has gone before.
SimulatedDisk::Fate SimulatedDisk::begin(const std::string& what, const fs::path& path) {
  if (cut_at_ != 0 && log_.size() >= cut_at_) end(Fate::power_goes, what, path);
  log_.push_back(what + " " + relative(path).string());
  const std::uint64_t number = log_.size();
  if (number == cut_at_) return Fate::power_goes;
  return number >= fail_from_ && number < fail_until_ ? Fate::fails : Fate::succeeds;
}

void SimulatedDisk::end(Fate fate, const std::string& what, const fs::path& path) const {
  if (fate == Fate::succeeds) return;
  throw_system_error(fate == Fate::fails ? error_ : EIO, what + " " + path.string());
}

FileDescriptor SimulatedDisk::open(const fs::path& path, int flags, FileMode mode) {
  const std::lock_guard lock(mutex_);
  const fs::path name = relative(path);
  if ((flags & O_CREAT) != 0 && !present_.contains(name)) {
    const Fate fate = begin("make", path);
    change_name(fate, {name.parent_path(), {}, name, std::make_shared<Node>()});
    end(fate, "make", path);
  }
  FileDescriptor file = open_file(path, flags, mode);
  opened_[file.get()] = present_.at(name);
  return file;
}

void SimulatedDisk::write(const FileDescriptor& file, std::uint64_t offset, ByteView content,
                          const fs::path& path) {
  const std::lock_guard lock(mutex_);
  const Fate fate = begin("write", path);
  if (fate == Fate::fails) content = content.first(content.size() / 2);
  opened_.at(file.get())->unsynced.push_back({offset, Bytes(content.begin(), content.end())});
  if (fate != Fate::power_goes) system_disk().write(file, offset, content, path);
  end(fate, "write", path);
}

void SimulatedDisk::resize(const FileDescriptor& file, std::uint64_t length, const fs::path& path) {
  const std::lock_guard lock(mutex_);
  const Fate fate = begin("resize", path);
  if (fate != Fate::fails) opened_.at(file.get())->unsynced.push_back({length, {}});
  if (fate == Fate::succeeds) system_disk().resize(file, length, path);
  end(fate, "resize", path);
}

void SimulatedDisk::sync(const FileDescriptor& file, const fs::path& path) {
  const std::lock_guard lock(mutex_);
  const Fate fate = begin("sync", path);
  Node& node = *opened_.at(file.get());
  if (fate == Fate::succeeds) {
    for (const Change& change : node.unsynced) apply(change, node.synced);
  }
  // As Linux has it: pages that could not be written are clean afterwards, and no later sync writes them.
  if (fate != Fate::power_goes) node.unsynced.clear();
  end(fate, "sync", path);
}

void SimulatedDisk::rename(const fs::path& from, const fs::path& to) {
  const std::lock_guard lock(mutex_);
  const fs::path taken = relative(from);
  const fs::path given = relative(to);
  if (taken.parent_path() != given.parent_path())
    throw std::logic_error("a file is renamed into another folder");
  const Fate fate = begin("rename", from);
  if (fate == Fate::succeeds) system_disk().rename(from, to);
  if (taken != given) change_name(fate, {given.parent_path(), taken, given, present_.at(taken)});
  end(fate, "rename", from);
}

void SimulatedDisk::remove(const fs::path& path) {
  const std::lock_guard lock(mutex_);
  const fs::path taken = relative(path);
  if (!present_.contains(taken)) return system_disk().remove(path);
  const Fate fate = begin("remove", path);
  if (fate == Fate::succeeds) system_disk().remove(path);
  change_name(fate, {taken.parent_path(), taken, {}, nullptr});
  end(fate, "remove", path);
}

void SimulatedDisk::make_folder(const fs::path& path) {
  const std::lock_guard lock(mutex_);
  const fs::path given = relative(path);
  if (present_.contains(given)) return;
  const Fate fate = begin("make", path);
  if (fate == Fate::succeeds) system_disk().make_folder(path);
  auto node = std::make_shared<Node>();
  node->is_folder = true;
  change_name(fate, {given.parent_path(), {}, given, std::move(node)});
  end(fate, "make", path);
}

void SimulatedDisk::sync_folder(const fs::path& folder) {
  const std::lock_guard lock(mutex_);
  const fs::path synced = relative(folder);
  const Fate fate = begin("sync", folder);
  if (fate == Fate::succeeds) {
    const auto is_of_it = [&](const NameChange& change) { return change.folder == synced; };
    for (const NameChange& change : unsynced_names_) {
      if (is_of_it(change)) apply(change, durable_);
    }
    std::erase_if(unsynced_names_, is_of_it);
  }
  end(fate, "sync", folder);
}

/// What the power goes in may be on the disk all the same.
void SimulatedDisk::change_name(Fate fate, NameChange change) {
  if (fate == Fate::fails) return;
  if (fate == Fate::succeeds) apply(change, present_);
  unsynced_names_.push_back(std::move(change));
}

void SimulatedDisk::apply(const NameChange& change, Names& names) {
  if (!change.taken.empty()) names.erase(change.taken);
  if (change.node) names[change.given] = change.node;
}

void SimulatedDisk::apply(const Change& change, Bytes& content) {
  if (!change.written) return content.resize(change.offset);
  const std::size_t end = change.offset + change.written->size();
  if (content.size() < end) content.resize(end);
  std::copy(change.written->begin(), change.written->end(),
            content.begin() + static_cast<std::ptrdiff_t>(change.offset));
}

Bytes SimulatedDisk::torn(const Node& file, Random& random) {
  Bytes content = file.synced;
  for (const Change& change : file.unsynced) {
    const std::uint64_t fate = random.below(3);  // not at all, whole, or in part
    if (fate == 0) continue;
    if (fate == 1 || !change.written) {
      apply(change, content);
      continue;
    }
    std::size_t done = 0;
    while (done < change.written->size()) {
      const std::size_t in_sector = sector_bytes - (change.offset + done) % sector_bytes;
      const std::size_t count = std::min(in_sector, change.written->size() - done);
      const auto first = change.written->begin() + static_cast<std::ptrdiff_t>(done);
      const Bytes part(first, first + static_cast<std::ptrdiff_t>(count));
      if (random.below(2) == 0) apply({change.offset + done, part}, content);
      done += count;
    }
  }
  return content;
}

/// Of each folder the changes survive in their order, up to some that is drawn.
SimulatedDisk::Names SimulatedDisk::surviving_names(std::optional<std::uint64_t> seed) const {
  Names names = durable_;
  if (!seed) return names;
  Random random(derive_seed(*seed, 1));
  std::map<fs::path, bool> has_ended;
  for (const NameChange& change : unsynced_names_) {
    bool& ended = has_ended[change.folder];
    ended = ended || random.below(3) == 0;
    if (!ended) apply(change, names);
  }
  return names;
}

void SimulatedDisk::survive(const fs::path& target, std::optional<std::uint64_t> seed) const {
  const std::lock_guard lock(mutex_);
  Random random(derive_seed(seed.value_or(0), 2));
  fs::create_directory(target);
  for (const auto& [name, node] : surviving_names(seed)) {
    const fs::path path = target / name;
    if (!fs::exists(path.parent_path())) continue;  // nothing leads to it
    if (node->is_folder) {
      fs::create_directory(path);
      continue;
    }
    const Bytes content = seed ? torn(*node, random) : node->synced;
    write_all(open_file(path, O_WRONLY | O_CREAT, FileMode::secret), content, path);
  }
}

}  // namespace fl::test
