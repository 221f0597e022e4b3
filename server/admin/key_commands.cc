#include <algorithm>

#include <boost/json.hpp>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/base/text.h"
#include "server/admin/administration.h"
#include "server/admin/request.h"

namespace fl::server {
namespace json = boost::json;

namespace {

constexpr std::uint64_t most_per_minute = 10'000'000;
constexpr std::uint64_t usual_per_minute = 6'000;
constexpr std::size_t secret_size = 32;
constexpr std::size_t longest_name = 64;

void check_key_name(const std::string& name) {
  const bool fits = !name.empty() && name.size() <= longest_name &&
                    name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
  if (fits) return;
  throw Error(ErrorCode::invalid_argument,
              in_quotes(name) + " is no name of a key: it has 1 to 64 characters of a-z, 0-9, '_' and '-'");
}

std::vector<std::string> listed_in(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    names.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return names;
}

}  // namespace

json::object Administration::add_key(const Request& request) {
  InferenceKeyRecord key;
  key.name = request.text("name");
  check_key_name(key.name);
  for (const InferenceKeyRecord& known : ledger_.inference_keys()) {
    if (known.name != key.name) continue;
    throw Error(ErrorCode::already_exists,
                "there is a key '" + key.name + "' already; choose another name, or remove that one first");
  }
  key.tasks = listed_in(request.text_or("tasks", ""));
  for (const std::string& task : key.tasks) {
    if (!ledger_.task(task)) throw Error(ErrorCode::not_found, "there is no task " + in_quotes(task));
  }
  key.per_minute =
      static_cast<std::uint32_t>(request.number_or("per_minute", usual_per_minute, 1, most_per_minute));
  key.created = clock_.now();
  const std::string secret = to_hex(secret_bytes(secret_size));
  key.hash = sha256(as_bytes(secret));
  ledger_.add_inference_key(key);
  return {{"key", secret}};
}

json::object Administration::remove_key(const Request& request) {
  const std::string name = request.text("name");
  ledger_.remove_inference_key(name);
  return {{"name", name}};
}

json::object Administration::keys() const {
  json::array list;
  for (const InferenceKeyRecord& key : ledger_.inference_keys()) {
    list.push_back({{"name", key.name},
                    {"tasks", json::array(key.tasks.begin(), key.tasks.end())},
                    {"per_minute", key.per_minute},
                    {"created", key.created.time_since_epoch().count()}});
  }
  return {{"keys", std::move(list)}};
}

}  // namespace fl::server
