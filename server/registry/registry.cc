#include "server/registry/registry.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "common/base/error.h"
#include "common/model/finite.h"
#include "common/model/manifest.h"

namespace fl::server {
namespace {

void check_weights(const Layout& layout, std::span<const float> weights) {
  if (weights.size() != layout.size()) {
    throw Error(ErrorCode::invalid_argument, "there are " + std::to_string(weights.size()) +
                                                 " weights, the layout has " + std::to_string(layout.size()));
  }
  const std::optional<std::size_t> wrong = first_outside(weights, std::numeric_limits<float>::max());
  if (wrong) {
    throw Error(ErrorCode::invalid_argument, "the weights are not finite: element " + std::to_string(*wrong) +
                                                 " of " + std::to_string(weights.size()) +
                                                 " is NaN or infinite");
  }
}

// An update has the size of the weights, and twice that where control variates go with it.
void check_size(const TaskRecord& task) {
  const std::uint64_t bytes = task.layout.size() * sizeof(float) * (task.plan.round.has_controls() ? 2 : 1);
  const std::uint64_t most = task.plan.round.max_update_bytes;
  if (bytes <= most) return;
  throw Error(ErrorCode::invalid_argument, "an update of this model has " + std::to_string(bytes) +
                                               " bytes, max_update_bytes allows " + std::to_string(most));
}

void check_blob(const BlobStore& blobs, const std::string& what, const Digest& hash) {
  if (blobs.contains(hash)) return;
  throw Error(ErrorCode::not_found, "the " + what + " " + hash.hex() + " is not in the blob store");
}

TaskRecord known_task(const Ledger& ledger, const std::string& name) {
  std::optional<TaskRecord> task = ledger.task(name);
  if (!task) throw Error(ErrorCode::not_found, "there is no task '" + name + "'");
  return *std::move(task);
}

}  // namespace

Digest store_weights(BlobStore& blobs, const Layout& layout, std::span<const float> weights) {
  check_weights(layout, weights);
  return blobs.put(as_bytes(weights));
}

void require_kept(const VersionRecord& version) {
  if (!version.pruned) return;
  throw Error(ErrorCode::failed_precondition,
              "version " + std::to_string(version.version) + " of '" + version.task +
                  "' was pruned: its weights are not kept any more, as the task's keep_versions has it; "
                  "name a newer one, or take it from a backup");
}

Registry::Registry(Ledger& ledger, BlobStore& blobs, SigningKey key)
    : ledger_(ledger), blobs_(blobs), key_(std::move(key)) {}

VersionRecord Registry::add_task(const TaskRecord& task, std::span<const float> weights, Timestamp now) {
  check_task_name(task.name);
  task.plan.validate();
  task.contract.validate();
  check_size(task);
  if (ledger_.task(task.name)) {
    throw Error(ErrorCode::already_exists, "there is a task '" + task.name + "' already");
  }
  if (ledger_.tasks().size() >= most_tasks) {
    throw Error(ErrorCode::resource_exhausted,
                "there are " + std::to_string(most_tasks) + " tasks, the most that one server runs");
  }
  if (!blobs_.contains(task.archive_hash)) {
    throw Error(ErrorCode::not_found, "the archive " + task.archive_hash.hex() + " is not in the blob store");
  }
  const VersionRecord first =
      make_version(task, store_weights(blobs_, task.layout, weights), 0, nullptr, now);
  ledger_.add_task(task, first);
  return first;
}

VersionRecord Registry::commit_round(const std::string& task, std::uint64_t round, const RoundResult& result,
                                     Timestamp now, const Endings& endings) {
  const TaskRecord record = known_task(ledger_, task);
  check_blob(blobs_, "weights", result.weights);
  if (result.state) check_blob(blobs_, "strategy's state", *result.state);
  if (result.difference) check_blob(blobs_, "difference", result.difference->hash);
  const VersionRecord previous = ledger_.latest_version(task);
  VersionRecord next = make_version(record, result.weights, round, &previous, now);
  next.state_hash = result.state;
  next.difference = result.difference;
  ledger_.commit_round(task, round, now, next, endings);
  return next;
}

VersionRecord Registry::publish_again(const std::string& task, std::uint64_t number, Timestamp now) {
  const TaskRecord record = known_task(ledger_, task);
  VersionRecord newest = ledger_.latest_version(task);
  require_kept(newest);
  if (number <= newest.version || number - newest.version > most_again) {
    throw Error(ErrorCode::invalid_argument,
                "version " + std::to_string(newest.version) + " of '" + task +
                    "' cannot be published as version " + std::to_string(number) +
                    "; its new number is above its own by at most " + std::to_string(most_again));
  }
  while (newest.version < number) {
    VersionRecord again = make_version(record, newest.weights_hash, 0, &newest, now);
    again.state_hash = newest.state_hash;
    ledger_.add_version(again);
    newest = std::move(again);
  }
  return newest;
}

VersionRecord Registry::make_version(const TaskRecord& task, const Digest& weights, std::uint64_t round,
                                     const VersionRecord* previous, Timestamp now) {
  Manifest manifest;
  manifest.task = task.name;
  manifest.version = previous == nullptr ? 1 : previous->version + 1;
  manifest.archive_hash = task.archive_hash;
  manifest.archive_bytes = task.archive_bytes;
  manifest.weights_hash = weights;
  manifest.weights_count = task.layout.size();
  manifest.layout_hash = task.layout.hash();
  if (previous != nullptr) manifest.previous = previous->manifest.hash();
  manifest.contract = task.contract;
  VersionRecord version;
  version.task = task.name;
  version.version = manifest.version;
  version.round = round;
  version.manifest = sign(manifest, key_);
  version.weights_hash = manifest.weights_hash;
  version.published = now;
  return version;
}

}  // namespace fl::server
