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
  Entry& entry = entries_[version->model().name];
  entry.serving.swap(old);
  if (old && on_wanted_) old = entry.keep_beside(std::move(old));
}

void Repository::serve_also(const std::shared_ptr<ServedVersion>& version) {
  std::shared_ptr<ServedVersion> old;  // goes without the lock
  const std::scoped_lock lock(mutex_);
  old = entries_[version->model().name].keep_beside(version);
}

/// Returns the one that makes way.
std::shared_ptr<ServedVersion> Repository::Entry::keep_beside(std::shared_ptr<ServedVersion> version) {
  others.push_back(std::move(version));
  if (others.size() <= most_others) return nullptr;
  std::shared_ptr<ServedVersion> first = std::move(others.front());
  others.pop_front();
  return first;
}

void Repository::refuse(const std::string& model, std::uint64_t number, const std::string& reason) {
  const std::scoped_lock lock(mutex_);
  auto& refused = entries_[model].refused;
  refused.emplace_back(number, reason);
  if (refused.size() > most_refused) refused.pop_front();
}

void Repository::on_wanted(std::function<void(const std::string& model, std::uint64_t number)> open) {
  const std::scoped_lock lock(mutex_);
  on_wanted_ = std::move(open);
}

std::shared_ptr<ServedVersion> Repository::find(const std::string& model, std::optional<std::uint64_t> number,
                                                Missing missing) const {
  std::function<void(const std::string&, std::uint64_t)> open;
  try {
    const std::scoped_lock lock(mutex_);
    if (missing == Missing::open) open = on_wanted_;
    const auto found = entries_.find(model);
    if (found == entries_.end()) {
      std::string names;
      for (const auto& [name, entry] : entries_) names.append(names.empty() ? "" : ", ").append(name);
      throw Error(ErrorCode::not_found, "there is no model " + in_quotes(model) +
                                            (names.empty() ? ", and no other yet" : "; there is " + names));
    }
    const std::shared_ptr<ServedVersion>& serving = found->second.serving;
    if (!serving) {
      open = nullptr;
      throw Error(ErrorCode::unavailable, "model " + model + " is not ready: " + found->second.reason);
    }
    if (!number || *number == serving->model().version) return serving;
    return find_other(found->second, *number);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::unavailable && open) open(model, *number);
    throw;
  }
}

std::shared_ptr<ServedVersion> Repository::find_other(const Entry& entry, std::uint64_t number) const {
  for (const auto& other : entry.others) {
    if (other->model().version == number) return other;
  }
  const ModelIdentity& serving = entry.serving->model();
  const std::string what = "version " + std::to_string(number) + " of " + serving.name;
  for (const auto& [refused, reason] : entry.refused) {
    if (refused == number) throw Error(ErrorCode::not_found, reason).within(what);
  }
  const bool may_be = number > 0 && number < serving.version;
  if (on_wanted_ && may_be)
    throw Error(ErrorCode::unavailable, what + " is being opened; ask again in a moment");
  throw Error(ErrorCode::not_found,
              what + " does not answer here; version " + std::to_string(serving.version) + " does");
}

bool Repository::answers(const std::string& model, std::uint64_t number) const {
  const auto is_it = [number](const std::shared_ptr<ServedVersion>& version) {
    return version && version->model().version == number;
  };
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(model);
  if (found == entries_.end()) return false;
  const Entry& entry = found->second;
  return is_it(entry.serving) || std::any_of(entry.others.begin(), entry.others.end(), is_it);
}

bool Repository::ready() const {
  const std::scoped_lock lock(mutex_);
  const auto answers = [](const auto& each) { return each.second.serving != nullptr; };
  return !entries_.empty() && std::all_of(entries_.begin(), entries_.end(), answers);
}

}  // namespace fl::serving
