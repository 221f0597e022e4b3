#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "common/base/clock.h"
#include "common/model/signing.h"
#include "server/ledger/blob_store.h"
#include "server/ledger/ledger.h"

namespace fl::server {

/// What a round made: blobs of the next version's weights and of what the strategy carries on.
struct RoundResult {
  Digest weights;
  std::optional<Digest> state;
  std::optional<Difference> difference = {};  ///< From the version that the round started from.
};

/// Puts a version's weights into the blob store and returns their hash. Throws Error(invalid_argument) where
/// they do not fit the layout or are not finite, and as BlobStore::put does. Any thread.
Digest store_weights(BlobStore& blobs, const Layout& layout, std::span<const float> weights);

/// Throws Error(failed_precondition) where the version was pruned: nothing can be made of its weights.
void require_kept(const VersionRecord& version);

/// Makes versions: weights into the blob store, a manifest that names them and the version before, a
/// signature. Refers to ledger and blobs, which outlive it; owns the signing key. One thread at a time.
class Registry {
 public:
  /// Tasks that one server runs at most: a device learns of all of them when it connects.
  static constexpr std::size_t most_tasks = 64;

  Registry(Ledger& ledger, BlobStore& blobs, SigningKey key);

  /// Adds a task whose archive is in the blob store, with `weights` as version 1. Throws Error:
  /// already_exists; resource_exhausted where there are most_tasks; not_found where the archive is not in the
  /// blob store; invalid_argument where name, plan, contract, layout and weights do not fit each other, or
  /// the weights are not finite.
  VersionRecord add_task(const TaskRecord& task, std::span<const float> weights, Timestamp now);

  /// Publishes the next version of a task, of finite weights that fit its layout, as the result of a round,
  /// committing the round in the same transaction. Throws Error as Ledger::commit_round does, and not_found
  /// where a blob is not in the store; the round is then still open.
  VersionRecord commit_round(const std::string& task, std::uint64_t round, const RoundResult& result,
                             Timestamp now, const Endings& endings = {});

  /// Publishes a task's newest version again, whole, under every number from the next to `number`: for
  /// devices that hold versions which the server has lost and accept none that is older (I6). An open round
  /// goes on, as it trains from the same weights. Throws Error: not_found; invalid_argument where `number` is
  /// not newer, or newer by more than most_again; as require_kept() does.
  static constexpr std::uint64_t most_again = 100'000;
  VersionRecord publish_again(const std::string& task, std::uint64_t number, Timestamp now);

  PublicKey public_key() const { return key_.public_key(); }

 private:
  VersionRecord make_version(const TaskRecord& task, const Digest& weights, std::uint64_t round,
                             const VersionRecord* previous, Timestamp now);

  Ledger& ledger_;
  BlobStore& blobs_;
  SigningKey key_;
};

}  // namespace fl::server
