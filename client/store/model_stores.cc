#include "client/store/model_stores.h"

#include <system_error>
#include <utility>

namespace fl::client {

namespace fs = std::filesystem;

ModelStores::ModelStores(fs::path folder, const PublicKey& key, Access access)
    : folder_(std::move(folder)), key_(key), access_(access) {}

void ModelStores::look_around() {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, ignored)) {
    const std::string task = entry.path().filename().string();
    if (!entry.is_directory(ignored) || !ModelStore::is_task_name(task) || stores_.contains(task)) continue;
    stores_.emplace(task, std::make_shared<ModelStore>(entry.path(), task, key_, access_));
  }
}

std::vector<std::string> ModelStores::tasks() {
  const std::lock_guard lock(mutex_);
  look_around();
  std::vector<std::string> names;
  for (const auto& [task, store] : stores_) names.push_back(task);
  return names;
}

std::shared_ptr<ModelStore> ModelStores::find(const std::string& task) {
  const std::lock_guard lock(mutex_);
  if (!stores_.contains(task)) look_around();
  const auto found = stores_.find(task);
  return found == stores_.end() ? nullptr : found->second;
}

std::shared_ptr<ModelStore> ModelStores::find_or_make(const std::string& task) {
  if (std::shared_ptr<ModelStore> found = find(task)) return found;
  auto made = std::make_shared<ModelStore>(folder_ / task, task, key_, access_);
  const std::lock_guard lock(mutex_);
  return stores_.emplace(task, std::move(made)).first->second;
}

}  // namespace fl::client
