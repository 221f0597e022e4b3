#include "server/inference/task_models.h"

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

void TaskModels::follow(const Ledger& ledger) {
  for (const TaskRecord& task : ledger.tasks()) follow_newest(ledger, task);
  std::set<std::pair<std::string, std::uint64_t>> wanted;
  {
    const std::scoped_lock lock(mutex_);
    wanted.swap(wanted_);
  }
  for (const auto& [task, version] : wanted) open_wanted(ledger, task, version);
}

void TaskModels::follow_newest(const Ledger& ledger, const TaskRecord& task) {
  const VersionRecord newest = ledger.latest_version(task.name);
  std::uint64_t& seen = seen_[task.name];
  if (seen == newest.version) return;
  if (seen == 0) repository_.announce(task.name, "it is being opened");
  seen = newest.version;
  try {
    repository_.serve(open(task, newest));
  } catch (const Error& error) {
    repository_.announce(task.name, error.what());
    on_trouble_("version " + std::to_string(newest.version) + " of " + task.name +
                " does not answer: " + error.what());
  }
}

void TaskModels::open_wanted(const Ledger& ledger, const std::string& task, std::uint64_t number) {
  const std::optional<TaskRecord> record = ledger.task(task);
  const std::optional<VersionRecord> version = ledger.version(task, number);
  if (!record || !version) return repository_.refuse(task, number, "there is none");
  if (version->pruned) return repository_.refuse(task, number, "it is not kept any more");
  try {
    repository_.serve_also(open(*record, *version));
  } catch (const Error& error) {
    repository_.refuse(task, number, error.what());
    on_trouble_("version " + std::to_string(number) + " of " + task + " does not answer: " + error.what());
  }
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
