#include "client/serving/local_models.h"

#include <optional>
#include <utility>
#include <vector>

#include "common/base/error.h"

namespace fl::client {

using serving::ModelIdentity;
using serving::ServedVersion;
using Kind = AgentEvent::Kind;

LocalModels::LocalModels(ModelStores& stores, EngineSource engine, serving::Repository& repository,
                         serving::ServingMetrics& metrics, boost::asio::any_io_executor threads,
                         const LocalModelsSettings& settings, EventListener on_event)
    : stores_(stores),
      engine_(std::move(engine)),
      repository_(repository),
      metrics_(metrics),
      threads_(std::move(threads)),
      settings_(settings),
      on_event_(std::move(on_event)) {
  look();
  thread_ = std::jthread([this](const std::stop_token& stop) { look_on(stop); });
}

void LocalModels::look_on(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    changed_.wait_for(lock, stop, settings_.look_time, [] { return false; });
    if (!stop.stop_requested()) look();
  }
}

void LocalModels::look() {
  for (const std::string& task : stores_.tasks()) {
    try {
      look_at(task, *stores_.find(task));
    } catch (const std::exception& error) {
      if (told_.insert(task + error.what()).second)
        tell(on_event_, Kind::trouble, task, task + ": " + error.what());
    }
  }
}

/// Opens the version that serves unless it is open already.
void LocalModels::look_at(const std::string& task, ModelStore& store) {
  store.refresh();
  const std::optional<StoredVersion> champion = store.champion();
  if (!champion) return repository_.announce(task, store.absence().what());
  if (has_just_failed(task, champion->manifest.version)) return;
  if (answers(champion->manifest)) return;
  repository_.announce(task, "it is being opened");
  open(store, *champion);
}

/// Whether this version, or a newer one, is open already.
bool LocalModels::answers(const Manifest& manifest) const {
  try {
    return repository_.find(manifest.task, std::nullopt)->model().version >= manifest.version;
  } catch (const Error&) {
    return false;
  }
}

/// What is damaged may be fetched again under its number, but hardly within a minute.
bool LocalModels::has_just_failed(const std::string& task, std::uint64_t version) const {
  constexpr std::chrono::minutes patience{1};
  const auto failed = failed_.find(task);
  return failed != failed_.end() && failed->second.version == version &&
         std::chrono::steady_clock::now() - failed->second.moment < patience;
}

void LocalModels::open(ModelStore& store, const StoredVersion& champion) {
  const Manifest& manifest = champion.manifest;
  const std::shared_ptr<Engine> library = engine_();
  std::vector<std::unique_ptr<Model>> opened;
  try {
    for (std::size_t i = 0; i < settings_.executors; ++i)
      opened.push_back(open_version(*library, store, manifest));
  } catch (const Error& error) {
    repository_.announce(manifest.task, error.what());
    if (error.code() != ErrorCode::invalid_data && error.code() != ErrorCode::not_found) throw;
    failed_[manifest.task] = {manifest.version, std::chrono::steady_clock::now()};
    store.refresh();  // the owner may have adopted another one meanwhile
    store.fall_back(manifest.version, error.what());
    for (const std::string& trouble : store.take_troubles())
      tell(on_event_, Kind::model_damaged, manifest.task, trouble);
    const std::optional<StoredVersion> last_good = store.champion();
    if (last_good && last_good->manifest.version != manifest.version && !answers(last_good->manifest))
      open(store, *last_good);
    return;
  }
  const std::string version = std::to_string(manifest.version);
  repository_.serve(std::make_shared<ServedVersion>(
      ModelIdentity{manifest.task, manifest.version, version, manifest.contract}, std::move(opened), threads_,
      settings_.batches, metrics_.version(manifest.task, manifest.version)));
  tell(on_event_, Kind::version_adopted, manifest.task, manifest.task + ": version " + version + " answers");
}

}  // namespace fl::client
