#include "server/care/home_copy.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <system_error>

#include "common/base/error.h"
#include "common/base/files.h"
#include "server/care/needed_files.h"

namespace fl::server {
namespace {

namespace fs = std::filesystem;

/// Until a copy is given up whose rounds are always closed before their updates have been read.
constexpr int most_passes = 100;

[[noreturn]] void refuse_damage(const std::string& file, const std::string& what, const fs::path& home) {
  throw Error(ErrorCode::invalid_data,
              file + " " + what + "; 'fl-server fsck " + home.string() + "' tells what to do about it");
}

/// A path as the user gave it, without the slash at its end that would make another of what is put beside it.
fs::path without_last_slash(const fs::path& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

void refuse_if_taken(const fs::path& target) {
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(target, ignored);
  if (!fs::exists(status) || (fs::is_directory(status) && fs::is_empty(target))) return;
  throw Error(ErrorCode::already_exists,
              target.string() + " is there already; it was left as it was. Name a folder that is not there");
}

/// A copy within the home would be lost with it, and where the server keeps its own files be cleared away.
void refuse_if_within(const fs::path& target, const fs::path& home) {
  const fs::path folder = fs::canonical(home);
  const fs::path place = fs::weakly_canonical(target);
  if (std::mismatch(folder.begin(), folder.end(), place.begin(), place.end()).first != folder.end()) return;
  throw Error(ErrorCode::invalid_argument, target.string() + " is within the home " + home.string() +
                                               ", with which it would be lost; name a folder elsewhere");
}

/// Of a report that has one.
const Finding& first_fault(const HomeReport& report) {
  return *std::find_if(report.findings.begin(), report.findings.end(),
                       [](const Finding& finding) { return finding.kind == Finding::Kind::fault; });
}

class HomeCopy {
 public:
  HomeCopy(const ServerHome& home, const fs::path& target, const Watch& watch)
      : home_(home), target_(without_last_slash(target)), part_(target_.string() + ".part"), watch_(watch) {}

  HomeReport run() {
    refuse_if_taken(target_);
    refuse_if_within(target_, home_.folder());
    make_private_folder(part_);
    const FileDescriptor lock = lock_home(part_);
    clear();
    copy_fixed_files();
    copy_what_changes();
    HomeReport report = check();
    refuse_if_taken(target_);
    if (::rename(part_.c_str(), target_.c_str()) != 0)
      throw_system_error(errno, "making " + target_.string());
    sync_folder(target_.parent_path());
    return report;
  }

 private:
  /// Of a copy that was interrupted only the blobs are still those of the home.
  void clear() const {
    for (const fs::directory_entry& entry : fs::directory_iterator(part_)) {
      const fs::path name = entry.path().filename();
      if (name != "blobs" && name != "lock") fs::remove_all(entry.path());
    }
    for (const char* const folder : {"blobs", "spool"}) make_private_folder(part_ / folder);
  }

  /// False, and nothing is copied, where it is not what its name says. Throws Error(not_found) where it is
  /// gone.
  bool copy_file(const fs::path& from, const fs::path& to, const Digest* hash) const {
    FileDraft draft(to, FileMode::secret);
    const Digest found = for_each_piece(from, [&](ByteView piece) {
      draft.write(piece);
      if (watch_) watch_(piece.size());
    });
    if (hash != nullptr && found != *hash) return false;
    draft.commit();
    return true;
  }

  void copy_fixed_files() const {
    for (const char* const name : ServerHome::fixed_files()) {
      copy_file(home_.folder() / name, part_ / name, nullptr);
      fs::permissions(part_ / name, fs::status(home_.folder() / name).permissions());
    }
  }

  /// The ledger first: what is committed after it refers to more files, never to fewer, but for the updates
  /// of rounds that are closed meanwhile and the blobs of versions that are pruned. Then there is a newer
  /// ledger, which says so.
  void copy_what_changes() {
    const fs::path ledger = part_ / home_.ledger_path().filename();
    for (int pass = 0; pass < most_passes; ++pass) {
      fs::remove(ledger);
      Ledger::copy(home_.ledger_path(), ledger);
      needed_ = needed_files(Ledger::snapshot(ledger));
      if (copy_updates() && copy_blobs()) return;
    }
    throw Error(ErrorCode::unavailable,
                "rounds are closed and versions pruned faster than they can be copied; try again when fewer "
                "devices send");
  }

  /// A file that the ledger refers to, and what it is.
  struct NeededFile {
    fs::path original;
    fs::path copied;
    const Digest& hash;
    std::string what;
    bool is_vital;  ///< The server, or a round, waits for it.
  };

  /// False where it is not needed any more: there is then a newer ledger, which says so. What is lost and not
  /// vital is left out; the check of the copy tells of it.
  bool copy_needed(const NeededFile& file, const std::function<bool(const NeededFiles&)>& is_needed) const {
    if (fs::exists(file.copied)) return true;
    std::string fault = "does not hash to its name, ";
    try {
      if (copy_file(file.original, file.copied, &file.hash)) return true;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;
      if (!is_needed(needed_files(Ledger::snapshot(home_.ledger_path())))) return false;
      fault = "is missing, ";
    }
    if (file.is_vital) refuse_damage(file.original.string(), fault + file.what, home_.folder());
    return true;
  }

  /// Whether all of them are needed still.
  bool copy_updates() const {
    for (const NeededUpdate& update : needed_.updates) {
      const NeededFile file{home_.spool_path() / update.path, part_ / "spool" / update.path, update.hash,
                            "an acknowledged update", !update.is_committed};
      make_private_folder(file.copied.parent_path());
      if (!copy_needed(file, [&](const NeededFiles& now) { return now.holds(update); })) return false;
    }
    return true;
  }

  /// Whether all of them are needed still. They are never changed, so that what was copied once is right.
  bool copy_blobs() const {
    for (const auto& needed : needed_.blobs) {
      const auto& [hash, blob] = needed;
      const NeededFile file{home_.blobs_path() / hash.hex(), part_ / "blobs" / hash.hex(), hash, blob.what,
                            blob.at_start};
      const auto is_needed = [&needed](const NeededFiles& now) { return now.blobs.contains(needed.first); };
      if (!copy_needed(file, is_needed)) return false;
    }
    return true;
  }

  /// Takes away what is of earlier passes and copies, and reads the rest as it lies there now.
  HomeReport check() const {
    const ServerHome copy = ServerHome::open(part_);
    Findings removed;
    find_leftovers_of_locked(copy, Leftovers::remove, removed);
    HomeReport report = check_home(copy, Leftovers::ignore, watch_);
    if (!report.has_faults()) return report;
    const Finding& first = first_fault(report);
    fs::remove_all(part_);  // so that the next does not go on with what is wrong in it
    refuse_damage(home_.folder().string(), "was not copied: " + first.where + ": " + first.what,
                  home_.folder());
  }

  const ServerHome& home_;
  fs::path target_;
  fs::path part_;
  const Watch& watch_;
  NeededFiles needed_;
};

}  // namespace

HomeReport copy_home(const ServerHome& home, const fs::path& target, const Watch& watch) {
  try {
    return HomeCopy(home, target, watch).run();
  } catch (const fs::filesystem_error& error) {
    throw_system_error(error.code().value(), "copying " + home.folder().string() + " to " + target.string());
  }
}

HomeReport restore_home(const ServerHome& backup, const fs::path& target, const Watch& watch) {
  const HomeReport report = check_home(backup, Leftovers::ignore, watch);
  if (report.has_faults()) {
    const Finding& first = first_fault(report);
    refuse_damage("the backup " + backup.folder().string(), "has faults, " + first.where + ": " + first.what,
                  backup.folder());
  }
  return copy_home(backup, target, watch);
}

}  // namespace fl::server
