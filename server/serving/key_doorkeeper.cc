#include "server/serving/key_doorkeeper.h"

#include <algorithm>
#include <utility>

#include "common/serving/bearer_key.h"
#include "common/serving/error_response.h"

namespace fl::server {

using net::HttpRequest;
using net::HttpResponse;
using serving::Ask;

namespace {

HttpResponse unauthorized() {
  return serving::unauthorized(
      "Authorization must be 'Bearer KEY', with a key that 'fl-server key add' has made");
}

}  // namespace

void KeyRing::replace(const std::vector<InferenceKeyRecord>& keys) {
  const std::scoped_lock lock(mutex_);
  std::map<Digest, Held> fresh;
  for (const InferenceKeyRecord& key : keys) {
    const auto known = keys_.find(key.hash);
    if (known != keys_.end() && known->second.record.per_minute == key.per_minute) {
      known->second.record = key;
      fresh.insert(keys_.extract(known));
    } else {
      fresh.emplace(key.hash, Held{key, RateLimiter(key.per_minute, 1)});
    }
  }
  keys_ = std::move(fresh);
}

KeyRing::Answer KeyRing::ask(std::string_view key, const std::string& task, bool counts) {
  const Digest hash = sha256(as_bytes(key));
  const std::scoped_lock lock(mutex_);
  const auto found = keys_.find(hash);
  if (found == keys_.end()) return Answer::unknown;
  const std::vector<std::string>& tasks = found->second.record.tasks;
  const bool is_for_all = tasks.empty() || task.empty();
  if (!is_for_all && std::find(tasks.begin(), tasks.end(), task) == tasks.end()) return Answer::other_task;
  if (!counts || found->second.rate.take("", RateLimiter::Moment::clock::now())) return Answer::granted;
  return Answer::too_often;
}

std::optional<HttpResponse> KeyDoorkeeper::refusal(const HttpRequest& head,
                                                   const serving::RouteResult& route) {
  if (route.route && (route.route->ask == Ask::live || route.route->ask == Ask::ready)) return std::nullopt;
  const std::optional<std::string_view> key = serving::bearer_key(head);
  if (!key) return unauthorized();
  const bool counts = route.route && (route.route->ask == Ask::infer || route.route->version);
  const std::string task = route.route ? route.route->model : "";
  switch (keys_->ask(*key, task, counts)) {
    case KeyRing::Answer::granted:
      return std::nullopt;
    case KeyRing::Answer::unknown:
      return unauthorized();
    case KeyRing::Answer::other_task:
      return serving::error_response(403, "this key is not for this model");
    case KeyRing::Answer::too_often:
      break;
  }
  HttpResponse response = serving::error_response(
      429, "this key was used more often than the operator allows in a minute; ask again later");
  response.fields.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace fl::server
