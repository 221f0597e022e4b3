#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client/store/model_store.h"
#include "common/model/signing.h"

namespace fl::client {

/// The stores of all tasks of a home, each made when it is first asked for. Any thread.
class ModelStores {
 public:
  /// `folder` is the home's models/.
  ModelStores(std::filesystem::path folder, const PublicKey& key, Access access);

  /// The tasks of which something is there, by name.
  std::vector<std::string> tasks();
  /// Null where there is no such task.
  std::shared_ptr<ModelStore> find(const std::string& task);
  /// Throws Error(invalid_argument) where `task` is no name of a task.
  std::shared_ptr<ModelStore> find_or_make(const std::string& task);

 private:
  void look_around();

  std::filesystem::path folder_;
  PublicKey key_;
  Access access_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<ModelStore>> stores_;
};

}  // namespace fl::client
