#include "server/serving/task_models.h"

#include <optional>

#include "common/base/error.h"

namespace fl::server {

using serving::ModelIdentity;
using serving::ServedVersion;

TaskModels::TaskModels(const BlobStore& blobs, std::function<std::shared_ptr<Engine>()> engine,
                       serving::Repository& repository, serving::ServingMetrics& metrics,
                       boost::asio::any_io_executor threads, const Settings& settings, OnTrouble on_trouble)
    : blobs_(blobs),
      engine_(std::move(engine)),
      repository_(repository),
      metrics_(metrics),
      threads_(std::move(threads)),
      settings_(settings),
      on_trouble_(std::move(on_trouble)) {
  repository_.on_wanted([this](const std::string& task, std::uint64_t version) { want(task, version); });
}

void TaskModels::want(const std::string& task, std::uint64_t version) {
  constexpr std::size_t most_wanted = 64;
  const std::scoped_lock lock(mutex_);
  if (wanted_.size() < most_wanted) wanted_.emplace(task, version);
}

void TaskModels::announce(const Ledger& ledger) const {
  for (const TaskRecord& task : ledger.tasks()) repository_.announce(task.name, "it is being opened");
}

void TaskModels::follow(const std::function<Ledger()>& snapshot) {
  std::vector<Found> found;
  std::optional<Found> wanted;
  {
    const Ledger ledger = snapshot();
    found = newer(ledger);
    wanted = next_wanted(ledger);
  }
  for (const Found& each : found) serve_newest(each);
  if (wanted) serve_wanted(*wanted);
}

std::vector<TaskModels::Found> TaskModels::newer(const Ledger& ledger) const {
  std::vector<Found> found;
  for (TaskRecord& task : ledger.tasks()) {
    VersionRecord newest = ledger.latest_version(task.name);
    const auto seen = seen_.find(task.name);
    if (seen != seen_.end() && seen->second == newest.version) continue;
    if (seen == seen_.end()) repository_.announce(task.name, "it is being opened");
    found.push_back({std::move(task), std::move(newest)});
  }
  return found;
}

std::optional<TaskModels::Found> TaskModels::next_wanted(const Ledger& ledger) {
  std::pair<std::string, std::uint64_t> next;
  {
    const std::scoped_lock lock(mutex_);
    if (wanted_.empty()) return std::nullopt;
    next = *wanted_.begin();
    wanted_.erase(wanted_.begin());
  }
  const auto& [name, number] = next;
  if (repository_.answers(name, number)) return std::nullopt;
  std::optional<TaskRecord> task = ledger.task(name);
  std::optional<VersionRecord> version = ledger.version(name, number);
  if (task && version && !version->pruned) return Found{*std::move(task), *std::move(version)};
  repository_.refuse(name, number, version ? "it is not kept any more" : "there is none");
  return std::nullopt;
}

void TaskModels::serve_newest(const Found& found) {
  try {
    repository_.serve(open(found.task, found.version));
  } catch (const Error& error) {
    repository_.announce(found.task.name, error.what());
    complain(found, error.what());
    if (error.code() != ErrorCode::invalid_data) return;  // it may be another time
  }
  seen_[found.task.name] = found.version.version;
}

void TaskModels::serve_wanted(const Found& found) {
  try {
    repository_.serve_also(open(found.task, found.version));
  } catch (const Error& error) {
    complain(found, error.what());
    if (error.code() == ErrorCode::invalid_data)
      repository_.refuse(found.task.name, found.version.version, error.what());
  }
}

void TaskModels::complain(const Found& found, const std::string& reason) {
  const std::string sentence = "version " + std::to_string(found.version.version) + " of " + found.task.name +
                               " does not answer: " + reason;
  if (complaints_.insert(sentence).second) on_trouble_(sentence);
}

std::shared_ptr<ServedVersion> TaskModels::open(const TaskRecord& task, const VersionRecord& version) {
  const Bytes archive = blobs_.get(task.archive_hash);
  const Bytes weights = blobs_.get(version.weights_hash);
  const std::shared_ptr<Engine> engine = engine_();
  std::vector<std::unique_ptr<Model>> opened;
  for (std::size_t i = 0; i < settings_.executors; ++i) {
    opened.push_back(engine->open(archive, task.contract));
    if (opened.back()->layout().hash() != task.layout.hash())
      throw Error(ErrorCode::invalid_data,
                  "this engine lays the model out otherwise than the one that added it");
    copy_weights(weights, opened.back()->weights());
  }
  return std::make_shared<ServedVersion>(
      ModelIdentity{task.name, version.version, std::to_string(version.version), task.contract},
      std::move(opened), threads_, settings_.batches, metrics_.version(task.name, version.version));
}

}  // namespace fl::server
