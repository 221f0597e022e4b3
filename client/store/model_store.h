#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "client/store/part_file.h"
#include "client/store/version_file.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/model/difference.h"
#include "common/model/manifest.h"
#include "common/model/plan.h"
#include "common/model/signing.h"

namespace fl::client {

/// Whether this process owns the home, or only looks at what the owner keeps there.
enum class Access : std::uint8_t { owner, guest };

/// The versions of one task on disk: champion.json, last-good.json, and their parts under parts/, each named
/// by its hash. The version named by champion.json serves, the one in last-good.json served before it.
///
/// A version is adopted by replacing last-good.json, then champion.json, each atomically: whoever reads, or
/// loses power, sees the old champion or the new one. Nothing that does not verify is ever returned (I6): a
/// champion that is damaged or was tampered with is replaced by last-good, and one sentence about it waits in
/// take_troubles().
///
/// Safe to use from any thread; one owner at a time. A guest writes nothing.
class ModelStore {
 public:
  /// `folder` need not be there yet. Throws Error(invalid_argument) where `task` is no name of a task; what
  /// is damaged is no error.
  ModelStore(std::filesystem::path folder, std::string task, const PublicKey& key, Access access);

  /// Whether this may be a task's name: 1 to 64 characters of a-z, 0-9, '_' and '-', and so no path.
  static bool is_task_name(const std::string& task);

  const std::string& task() const { return task_; }
  const std::filesystem::path& folder() const { return folder_; }

  /// The version that serves; nothing where none has come or none that is left verifies.
  std::optional<StoredVersion> champion() const;
  /// Why there is no champion: Error(failed_precondition), naming what is damaged where something is, and
  /// what to do.
  Error absence() const;
  std::optional<StoredVersion> last_good() const;
  /// The highest version that was ever accepted here; 0 where none was.
  std::uint64_t highest_accepted() const;

  /// Reads what another process may have adopted since; for guests.
  void refresh();

  /// Hashes the champion's parts and falls back where they are damaged. An owner does it once, at the start,
  /// and removes what a crash left half written.
  void check_parts();
  /// Gives up the champion, for `reason`, in favour of last-good where that verifies; damaged parts go, so
  /// that they can be fetched again. Nothing where `version` is not the champion any more.
  void fall_back(std::uint64_t version, const std::string& reason);
  /// What was found damaged since the last call, each a sentence; the same thing is said once.
  std::vector<std::string> take_troubles();

  /// The manifest of a version that this device may accept. Throws Error: unauthenticated where the signature
  /// is not the federation's, invalid_data where it is no manifest or another task's, failed_precondition
  /// where a newer one (or this one) was accepted before (I6).
  Manifest check(const SignedManifest& manifest) const;

  /// Whether a part is there. Its hash is checked when it is read.
  bool has_part(const Digest& hash) const;
  /// Where to put a part that is being fetched. Owner only.
  PartFile begin_part(const Digest& hash, std::uint64_t bytes);

  /// Makes the weights of a version of parts that are here: those that the difference begins from, and the
  /// difference, which stays until a version is adopted or discarded. Throws Error: not_found or invalid_data
  /// where they do not come to what the manifest says; cancelled; as the system fails. Owner only.
  void rebuild_weights(const Manifest& manifest, const Difference& difference, const std::stop_token& stop);

  /// Makes a version the champion, whose parts are there and which was tried. Throws as check(), and as the
  /// system fails; the old champion then still is. Owner only.
  void adopt(const SignedManifest& manifest, const std::optional<Evaluation>& evaluation);
  /// Removes one part, where it is there. Owner only.
  void remove_part(const Digest& hash);
  /// Removes the parts of a version that is not adopted. Owner only.
  void discard(const Manifest& manifest);

  /// Keeps the plan of the last round this device took part in. Owner only.
  void remember_plan(const TrainingPlan& plan);
  /// That plan; nothing where there is none, or where it is damaged.
  std::optional<TrainingPlan> last_plan();

  /// The TorchScript archive, verified. Throws Error: not_found or invalid_data naming the file.
  Bytes read_archive(const Manifest& manifest) const;
  /// Fills `weights`, of manifest.weights_count elements, verified. Throws as read_archive(); what was
  /// filled in is then worth nothing.
  void read_weights(const Manifest& manifest, std::span<float> weights) const;
  /// The same of a part that no manifest names: the server's control variate.
  void read_control(const Digest& hash, std::span<float> control) const;

 private:
  void load();
  std::optional<VersionFile> read_or_note(const char* file);
  std::optional<TrainingPlan> read_plan();
  void note(const std::string& trouble);
  void remove_leftovers();
  std::string damage_of(const StoredVersion& version) const;
  Manifest check_locked(const SignedManifest& manifest) const;
  void remove_unneeded();
  void remove_damaged_parts(const Manifest& manifest);
  std::filesystem::path part_path(const Digest& hash) const;

  std::filesystem::path folder_;
  std::string task_;
  PublicKey key_;
  Access access_;
  mutable std::mutex mutex_;  // guards what follows
  std::optional<StoredVersion> champion_;
  std::optional<StoredVersion> last_good_;
  std::uint64_t highest_ = 0;
  std::string damage_;  // why there is no champion, where one is damaged
  std::vector<std::string> troubles_;
  std::set<std::string> noted_;  // troubles, since the last adoption
};

}  // namespace fl::client
