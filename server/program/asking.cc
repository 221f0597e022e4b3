#include "server/program/asking.h"

#include <boost/json.hpp>

#include "common/base/error.h"
#include "common/model/layout_json.h"
#include "server/admin/administration.h"

namespace fl::server {
namespace json = boost::json;

json::object ask(const ServerHome& home, const json::object& request) {
  return json::parse(administer(home, json::serialize(request))).as_object();
}

namespace {

std::string text_at(const json::object& object, const char* key) {
  return {object.at(key).as_string().begin(), object.at(key).as_string().end()};
}

std::uint64_t number_at(const json::object& object, const char* key) {
  return object.at(key).to_number<std::uint64_t>();
}

/// Every record of a list that comes in pages; `number` is the key that the next page goes on after.
std::vector<json::object> ask_pages(const ServerHome& home, json::object request, const char* list,
                                    const char* number) {
  std::vector<json::object> records;
  bool more = true;
  while (more) {
    const json::object answer = ask(home, request);
    for (const json::value& record : answer.at(list).as_array()) records.push_back(record.as_object());
    more = answer.at("more").as_bool() && !records.empty();
    if (more) request["after"] = records.back().at(number);
  }
  return records;
}

}  // namespace

program::Cell cell_of(const json::value& value) {
  if (value.is_bool()) return value.get_bool();
  if (value.is_double()) return value.get_double();
  if (value.is_string()) return std::string(value.get_string().begin(), value.get_string().end());
  if (value.is_number()) return value.to_number<std::int64_t>();
  return std::monostate{};
}

program::Cell moment_of(const json::value& milliseconds) {
  const auto value = milliseconds.to_number<std::int64_t>();
  if (value == 0) return std::monostate{};
  return program::readable_moment(value / 1000);
}

KnownTask ask_task(const ServerHome& home, const std::string& task) {
  const json::object answer = ask(home, {{"command", "task"}, {"task", task}});
  return {task, task_contract_from_json(text_at(answer, "contract")),
          layout_from_json(text_at(answer, "layout")), Digest::from_hex(text_at(answer, "archive"))};
}

std::vector<KnownVersion> ask_versions(const ServerHome& home, const std::string& task, std::uint64_t after) {
  std::vector<KnownVersion> versions;
  const json::object request{{"command", "versions"}, {"task", task}, {"after", after}};
  for (const json::object& record : ask_pages(home, request, "versions", "version")) {
    versions.push_back({number_at(record, "version"), number_at(record, "round"),
                        Digest::from_hex(text_at(record, "weights")),
                        record.at("published").to_number<std::int64_t>(), record.at("evaluation"),
                        record.at("pruned").as_bool()});
  }
  return versions;
}

KnownVersion ask_version(const ServerHome& home, const std::string& task, std::uint64_t version) {
  const std::vector<KnownVersion> versions = ask_versions(home, task, version == 0 ? 0 : version - 1);
  if (version == 0 && !versions.empty()) return versions.back();
  if (!versions.empty() && versions.front().version == version) {
    if (!versions.front().pruned) return versions.front();
    throw Error(ErrorCode::failed_precondition,
                "version " + std::to_string(version) + " of '" + task +
                    "' was pruned: its weights are not kept any more, as the task's keep_versions has it; "
                    "'fl-server versions' lists those that are");
  }
  throw Error(ErrorCode::not_found, "the task '" + task + "' has no version " + std::to_string(version) +
                                        "; 'fl-server versions' lists those there are");
}

std::optional<json::object> ask_round(const ServerHome& home, const std::string& task, std::uint64_t round) {
  const json::object answer =
      ask(home, {{"command", "rounds"}, {"task", task}, {"after", round - 1}, {"limit", 1}});
  const json::array& rounds = answer.at("rounds").as_array();
  if (rounds.empty() || rounds.front().at("round") != round) return std::nullopt;
  return rounds.front().as_object();
}

std::vector<json::object> ask_rounds(const ServerHome& home, const std::string& task, std::uint64_t after) {
  return ask_pages(home, {{"command", "rounds"}, {"task", task}, {"after", after}}, "rounds", "round");
}

}  // namespace fl::server
