#include "common/serving/repository.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"

namespace fl::serving {

void Repository::announce(const std::string& model, const std::string& reason) {
  const std::scoped_lock lock(mutex_);
  entries_[model].reason = reason;
}

void Repository::serve(const std::shared_ptr<ServedVersion>& version) {
  std::shared_ptr<ServedVersion> old = version;  // goes without the lock
  const std::scoped_lock lock(mutex_);
  entries_[version->model().name].serving.swap(old);
}

std::shared_ptr<ServedVersion> Repository::find(const std::string& model,
                                                std::optional<std::uint64_t> number) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(model);
  if (found == entries_.end()) {
    std::string names;
    for (const auto& [name, entry] : entries_) names += (names.empty() ? "" : ", ") + name;
    throw Error(ErrorCode::not_found, "there is no model " + in_quotes(model) +
                                          (names.empty() ? ", and no other yet" : "; there is " + names));
  }
  const std::shared_ptr<ServedVersion>& serving = found->second.serving;
  if (!serving)
    throw Error(ErrorCode::unavailable, "model " + model + " is not ready: " + found->second.reason);
  if (number && *number != serving->model().version) {
    throw Error(ErrorCode::not_found, "version " + std::to_string(*number) + " of " + model +
                                          " does not answer here; version " +
                                          std::to_string(serving->model().version) + " does");
  }
  return serving;
}

std::vector<std::string> Repository::models() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

bool Repository::ready() const {
  const std::scoped_lock lock(mutex_);
  const auto answers = [](const auto& each) { return each.second.serving != nullptr; };
  return !entries_.empty() && std::all_of(entries_.begin(), entries_.end(), answers);
}

}  // namespace fl::serving
