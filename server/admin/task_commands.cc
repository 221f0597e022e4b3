#include <map>
#include <utility>

#include <boost/json.hpp>

#include "common/base/error.h"
#include "common/model/layout_json.h"
#include "server/admin/administration.h"
#include "server/admin/request.h"
#include "server/strategy/strategy.h"

namespace fl::server {
namespace json = boost::json;

namespace {

constexpr std::uint64_t most_records = 1000;
constexpr std::uint64_t largest = std::uint64_t{1} << 62U;

std::int64_t milliseconds(Timestamp moment) {
  return moment.time_since_epoch().count();
}

json::value value_of(const std::optional<double>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

json::object json_of(const RoundSummary& summary) {
  json::object refusals;
  for (const auto& [reason, count] : summary.refusals) refusals[reason] = count;
  return {{"round", summary.round.round},
          {"state", name(summary.round.state)},
          {"base_version", summary.round.base_version},
          {"version", summary.version_made},
          {"selected", summary.selected},
          {"accepted", summary.accepted},
          {"refused", summary.refused},
          {"declined", summary.declined},
          {"late", summary.late},
          {"dropped", summary.dropped},
          {"surplus", summary.surplus},
          {"refusals", std::move(refusals)},
          {"examples", summary.examples},
          {"update_bytes", summary.update_bytes},
          {"train_loss", value_of(summary.train_loss)},
          {"test_loss", value_of(summary.test_loss)},
          {"test_accuracy", value_of(summary.test_accuracy)},
          {"opened", milliseconds(summary.round.opened)},
          {"closed", milliseconds(summary.round.closed)},
          {"reason", summary.round.reason}};
}

json::value json_of(const std::optional<Spread>& spread) {
  if (!spread) return nullptr;
  return json::object{{"min", spread->min},
                      {"p10", spread->p10},
                      {"p50", spread->p50},
                      {"p90", spread->p90},
                      {"max", spread->max}};
}

json::object json_of(const EvaluationRecord& evaluation) {
  const EvaluationSummary& summary = evaluation.summary;
  return {{"evaluation", evaluation.evaluation},
          {"state", name(evaluation.state)},
          {"devices", summary.devices},
          {"examples", summary.examples},
          {"loss", value_of(summary.loss)},
          {"loss_spread", json_of(summary.loss_spread)},
          {"accuracy", value_of(summary.accuracy)},
          {"accuracy_spread", json_of(summary.accuracy_spread)},
          {"opened", milliseconds(evaluation.opened)},
          {"closed", milliseconds(evaluation.closed)},
          {"reason", evaluation.reason}};
}

json::object json_of(const VersionRecord& version) {
  return {{"version", version.version},
          {"round", version.round},
          {"weights", version.weights_hash.hex()},
          {"manifest", version.manifest.hash().hex()},
          {"published", milliseconds(version.published)},
          {"pruned", version.pruned}};
}

}  // namespace

TaskRecord Administration::known_task(const Request& request) const {
  const std::string name = request.text("task");
  std::optional<TaskRecord> task = ledger_.task(name);
  if (task) return *std::move(task);
  std::string others;
  for (const TaskRecord& other : ledger_.tasks()) others += (others.empty() ? "" : ", ") + other.name;
  throw Error(ErrorCode::not_found,
              "there is no task '" + name + "'" +
                  (others.empty() ? "; 'fl-server task add' adds one" : "; there are: " + others));
}

json::object Administration::tasks() const {
  json::array list;
  for (const TaskRecord& task : ledger_.tasks()) {
    list.push_back({{"task", task.name},
                    {"version", ledger_.latest_version(task.name).version},
                    {"parameters", task.layout.size()},
                    {"archive_bytes", task.archive_bytes},
                    {"data", name(task.contract.data.format)},
                    {"loss", name(task.contract.loss)},
                    {"strategy", task.plan.round.strategy},
                    {"goal", task.plan.round.goal},
                    {"minimum", task.plan.round.minimum},
                    {"rounds", task.plan.round.rounds},
                    {"created", milliseconds(task.created)},
                    {"round", round_state(task.name)}});
  }
  return {{"tasks", std::move(list)}};
}

json::object Administration::task(const Request& request) const {
  const TaskRecord task = known_task(request);
  return {{"task", task.name},
          {"plan", to_json(task.plan)},
          {"contract", to_json(task.contract)},
          {"layout", to_json(task.layout)},
          {"archive", task.archive_hash.hex()},
          {"archive_bytes", task.archive_bytes},
          {"created", milliseconds(task.created)}};
}

json::object Administration::add_task(const Request& request) {
  TaskRecord task;
  task.name = request.text("task");
  task.plan = plan_from_json(request.text("plan"));
  task.contract = task_contract_from_json(request.text("contract"));
  task.layout = layout_from_json(request.text("layout"));
  task.archive_hash = request.digest("archive");
  task.archive_bytes = blobs_.get(task.archive_hash).size();
  task.created = clock_.now();
  make_strategy(task.plan);  // refuses what no round could be run by
  const VersionRecord first = registry_.add_task(
      task, weights_from(blobs_.get(request.digest("weights")), task.layout.size()), clock_.now());
  if (live_.task_added) live_.task_added(task.name);
  return {{"task", task.name}, {"version", first.version}};
}

json::object Administration::rounds(const Request& request) const {
  const TaskRecord task = known_task(request);
  const std::uint64_t after = request.number_or("after", 0, 0, largest);
  const auto limit = static_cast<std::uint32_t>(request.number_or("limit", most_records, 1, most_records));
  json::array list;
  for (const RoundSummary& summary : ledger_.round_summaries(task.name, after, limit)) {
    list.push_back(json_of(summary));
  }
  const bool more = list.size() == limit;
  return {{"rounds", std::move(list)}, {"more", more}};
}

json::object Administration::versions(const Request& request) const {
  const TaskRecord task = known_task(request);
  const std::uint64_t after = request.number_or("after", 0, 0, largest);
  const auto limit = static_cast<std::uint32_t>(request.number_or("limit", most_records, 1, most_records));
  std::map<std::uint64_t, EvaluationRecord> evaluations;
  for (EvaluationRecord& evaluation : ledger_.evaluations(task.name, after, limit)) {
    evaluations[evaluation.version] = std::move(evaluation);
  }
  json::array list;
  for (const VersionRecord& version : ledger_.versions(task.name, after, limit)) {
    json::object record = json_of(version);
    const auto found = evaluations.find(version.version);
    record["evaluation"] = found == evaluations.end() ? json::value() : json_of(found->second);
    list.push_back(std::move(record));
  }
  const bool more = list.size() == limit;
  return {{"versions", std::move(list)}, {"more", more}};
}

}  // namespace fl::server
