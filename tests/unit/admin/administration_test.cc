#include "server/admin/administration.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "common/model/layout_json.h"
#include "common/net/enrolment_token.h"
#include "tests/unit/admin/sample_home.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;
namespace json = boost::json;

namespace {

/// An administration of a sample home, and what it was told to do to the live server.
struct Desk {
  explicit Desk(std::uint16_t port = 7443, bool running = true)
      : office(port),
        administration(office.home, office.ledger, office.blobs, office.registry, office.clock,
                       running ? live() : LiveServer()) {}

  LiveServer live() {
    LiveServer result;
    result.port = [] { return std::uint16_t{5555}; };
    result.connections = [] { return std::size_t{2}; };
    result.round_state = [](const std::string& task) { return "selecting " + task; };
    result.disconnect = [this](const std::string& device) { disconnected = device; };
    result.task_added = [this](const std::string& task) { added = task; };
    return result;
  }

  json::object ask(const json::object& request) {
    return json::parse(administration.execute(json::serialize(request))).as_object();
  }

  /// The sentence of a refusal with this code.
  std::string refusal(const char* code, const json::object& request) {
    const json::object answer = ask(request);
    CHECK(answer.at("ok") == false);
    if (!answer.contains("code")) return "";
    CHECK(answer.at("code").as_string() == code);
    return answer.at("error").as_string().c_str();
  }

  json::object task_request() {
    const TaskRecord task = sample_task();
    return {{"command", "task-add"},
            {"task", task.name},
            {"plan", to_json(task.plan)},
            {"contract", to_json(task.contract)},
            {"layout", to_json(task.layout)},
            {"archive", task.archive_hash.hex()},
            {"weights", sha256(as_bytes(std::span<const float>(office.weights))).hex()}};
  }

  SampleHome office;
  std::string disconnected;
  std::string added;
  Administration administration;
};

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a token names the server and its authority and only its hash is kept") {
  Desk desk;
  const json::object answer = desk.ask({{"command", "token"}, {"name", "kitchen"}, {"hours", 2}});
  REQUIRE(answer.at("ok") == true);
  const auto token = net::EnrolmentToken::parse(answer.at("tokens").at(0).as_string().c_str());
  CHECK(token.server.text() == "example.org:5555");
  CHECK(token.authority_fingerprint == desk.office.home.authority().certificate.fingerprint());
  CHECK(token.secret.size() == 32);
  DeviceRecord device = sample_device("d1");
  device.name.clear();
  const Timestamp expires = desk.office.clock.moment + std::chrono::hours(2);
  CHECK(answer.at("expires").to_number<std::int64_t>() == expires.time_since_epoch().count());
  CHECK(desk.office.ledger.enrol(sha256(token.secret), device, expires) == TokenOutcome::expired);
  CHECK(desk.office.ledger.enrol(sha256(token.secret), device, expires - Milliseconds(1)) ==
        TokenOutcome::accepted);
  CHECK(desk.office.ledger.device("d1")->name == "kitchen");
}

TEST_CASE("several tokens are different and number their devices") {
  Desk desk;
  const json::object answer = desk.ask({{"command", "token"}, {"name", "phone"}, {"count", 3}});
  REQUIRE(answer.at("tokens").as_array().size() == 3);
  CHECK(answer.at("tokens").at(0) != answer.at("tokens").at(1));
  const auto token = net::EnrolmentToken::parse(answer.at("tokens").at(2).as_string().c_str());
  DeviceRecord device = sample_device("d1");
  device.name.clear();
  desk.office.ledger.enrol(sha256(token.secret), device, desk.office.clock.moment);
  CHECK(desk.office.ledger.device("d1")->name == "phone-3");
}

TEST_CASE("without a running server tokens need a port that is known (I9)") {
  Desk stopped(7443, false);
  const json::object answer = stopped.ask({{"command", "token"}});
  REQUIRE(answer.at("ok") == true);
  CHECK(net::EnrolmentToken::parse(answer.at("tokens").at(0).as_string().c_str()).server.port == 7443);
  Desk without_port(0, false);
  CHECK(contains(without_port.refusal("failed_precondition", {{"command", "token"}}), "fl-server run"));
}

TEST_CASE("requests that are wrong are refused with what is wrong (I9)") {
  Desk desk;
  const auto refused = [&](const json::object& request) { return desk.refusal("invalid_argument", request); };
  CHECK(contains(refused({}), "'command' is missing"));
  CHECK(contains(refused({{"command", "dance"}}), "'dance' is no command"));
  CHECK(contains(refused({{"command", 5}}), "must be a text"));
  CHECK(contains(refused({{"command", "token"}, {"count", 0}}), "count must be a whole number from 1"));
  CHECK(contains(refused({{"command", "token"}, {"hours", -1}}), "hours must be"));
  CHECK(contains(refused({{"command", "token"}, {"hours", 1.5}}), "hours must be"));
  CHECK(contains(refused({{"command", "token"}, {"name", "a\nb"}}), "control characters"));
  CHECK(contains(refused({{"command", "token"}, {"name", std::string(65, 'x')}}), "64 bytes"));
  CHECK(contains(refused({{"command", "device-revoke"}}), "'device' is missing"));
  for (const char* text : {"", "{", "[]", "\"status\"", "{\"command\":\"status\"} more"}) {
    const json::value answer = json::parse(desk.administration.execute(text));
    CHECK(answer.at("code").as_string() == "invalid_argument");
  }
}

TEST_CASE("a task is added whole and its rounds begin") {
  Desk desk;
  REQUIRE(desk.ask(desk.task_request()).at("ok") == true);
  CHECK(desk.added == "har");
  const json::object task = desk.ask({{"command", "task"}, {"task", "har"}});
  CHECK(task.at("plan").as_string() == to_json(sample_task().plan));
  CHECK(task.at("contract").as_string() == to_json(sample_task().contract));
  CHECK(task.at("layout").as_string() == to_json(sample_task().layout));
  CHECK(task.at("archive_bytes") == 7);
  const json::object tasks = desk.ask({{"command", "tasks"}});
  CHECK(tasks.at("tasks").at(0).at("task").as_string() == "har");
  CHECK(tasks.at("tasks").at(0).at("parameters") == 6);
  CHECK(tasks.at("tasks").at(0).at("round").as_string() == "selecting har");
  CHECK(contains(desk.refusal("already_exists", desk.task_request()), "'har'"));
}

TEST_CASE("a task that does not fit is refused and no round begins (I9)") {
  Desk desk;
  json::object request = desk.task_request();
  request["weights"] = sha256(as_bytes("archive")).hex();
  desk.refusal("invalid_data", request);
  request["weights"] = "12";
  desk.refusal("invalid_argument", request);
  request["weights"] = digest_of("absent").hex();
  desk.refusal("not_found", request);
  request = desk.task_request();
  request["plan"] = "{\"rond\":1}";
  CHECK(contains(desk.refusal("invalid_data", request), "rond"));
  request = desk.task_request();
  request["task"] = "../x";
  desk.refusal("invalid_argument", request);
  CHECK(desk.added.empty());
  CHECK(desk.office.ledger.tasks().empty());
}

TEST_CASE("a device that is revoked is disconnected") {
  Desk desk;
  enrol(desk.office.ledger, "d1");
  CHECK(desk.ask({{"command", "device-revoke"}, {"device", "d1"}}).at("ok") == true);
  CHECK(desk.disconnected == "d1");
  const json::object devices = desk.ask({{"command", "devices"}});
  CHECK(devices.at("devices").at(0).at("device").as_string() == "d1");
  CHECK(devices.at("devices").at(0).at("revoked") == true);
  CHECK(contains(desk.refusal("not_found", {{"command", "device-revoke"}, {"device", "d2"}}), "'d2'"));
}

TEST_CASE("rounds and versions tell what happened from a number on") {
  Desk desk;
  desk.ask(desk.task_request());
  for (const char* id : {"a", "b", "c"}) enrol(desk.office.ledger, id);
  desk.office.ledger.begin_round(sample_round(1, 1), {"a", "b", "c"});
  desk.office.ledger.record_updates("har", 1, {accepted_update("a", 12)});
  desk.office.ledger.record_updates("har", 1, {refused_update("b", "not_finite")});
  desk.office.registry.commit_round(
      "har", 1, {desk.office.blobs.put(as_bytes(std::span<const float>(desk.office.weights))), {}}, at(260));

  const json::object answer = desk.ask({{"command", "rounds"}, {"task", "har"}});
  const json::object& round = answer.at("rounds").at(0).as_object();
  CHECK(round.at("state").as_string() == "committed");
  CHECK(round.at("base_version") == 1);
  CHECK(round.at("version") == 2);
  CHECK(round.at("selected") == 3);
  CHECK(round.at("accepted") == 1);
  CHECK(round.at("refusals").at("not_finite") == 1);
  CHECK(round.at("examples") == 12);
  CHECK(round.at("test_accuracy") == 0.25);
  CHECK(round.at("opened") == 200'000);
  CHECK(round.at("closed") == 260'000);
  CHECK(answer.at("more") == false);
  CHECK(desk.ask({{"command", "rounds"}, {"task", "har"}, {"after", 1}}).at("rounds").as_array().empty());

  const json::object versions = desk.ask({{"command", "versions"}, {"task", "har"}, {"limit", 1}});
  CHECK(versions.at("versions").as_array().size() == 1);
  CHECK(versions.at("more") == true);
  CHECK(desk.ask({{"command", "versions"}, {"task", "har"}, {"after", 1}}).at("versions").at(0).at("round") ==
        1);
  CHECK(contains(desk.refusal("not_found", {{"command", "rounds"}, {"task", "haar"}}), "there are: har"));
}

TEST_CASE("versions are told with how devices evaluated them") {
  Desk desk;
  desk.ask(desk.task_request());
  enrol(desk.office.ledger, "a");
  const auto evaluation = [&] {
    return desk.ask({{"command", "versions"}, {"task", "har"}}).at("versions").at(0).at("evaluation");
  };
  CHECK(evaluation().is_null());
  desk.office.ledger.begin_evaluation(sample_evaluation(1, 1), {"a"});
  CHECK(evaluation().at("state").as_string() == "open");
  CHECK(evaluation().at("loss").is_null());
  EvaluationRecord ended = sample_evaluation(1, 1);
  ended.state = EvaluationState::complete;
  ended.summary = {3, 40, 0.5, Spread{0.1, 0.2, 0.3, 0.4, 0.6}, std::nullopt, std::nullopt};
  desk.office.ledger.close_evaluation(ended);
  CHECK(evaluation().at("state").as_string() == "complete");
  CHECK(evaluation().at("devices") == 3);
  CHECK(evaluation().at("examples") == 40);
  CHECK(evaluation().at("loss") == 0.5);
  CHECK(evaluation().at("loss_spread").at("max") == 0.6);
  CHECK(evaluation().at("accuracy").is_null());
}

TEST_CASE("the status tells a running server from a stopped one") {
  Desk running;
  running.ask(running.task_request());
  running.office.clock.moment += Milliseconds(1500);
  const json::object live = running.ask({{"command", "status"}});
  CHECK(live.at("running") == true);
  CHECK(live.at("listen").as_string() == "127.0.0.1:5555");
  CHECK(live.at("connections") == 2);
  CHECK(live.at("uptime_ms") == 1500);
  CHECK(live.at("tasks").at(0).at("version") == 1);
  Desk stopped(7443, false);
  const json::object still = stopped.ask({{"command", "status"}});
  CHECK(still.at("running") == false);
  CHECK_FALSE(still.contains("pid"));
  CHECK(still.at("devices") == 0);
}

TEST_CASE("a key is shown once and kept as its hash") {
  Desk desk;
  const std::string key(desk.ask({{"command", "key-add"}, {"name", "shop"}}).at("key").as_string());
  CHECK(key.size() == 64);
  const auto kept = desk.office.ledger.inference_keys();
  REQUIRE(kept.size() == 1);
  CHECK(kept.front().name == "shop");
  CHECK(kept.front().hash == sha256(as_bytes(key)));
  CHECK(kept.front().tasks.empty());
  CHECK(kept.front().per_minute == 6000);
  const json::object listed = desk.ask({{"command", "keys"}});
  CHECK(json::serialize(listed).find(key) == std::string::npos);
  CHECK(listed.at("keys").at(0).at("name") == json::value("shop"));
  CHECK(desk.ask({{"command", "key-remove"}, {"name", "shop"}}).at("ok") == json::value(true));
  CHECK(desk.office.ledger.inference_keys().empty());
}

TEST_CASE("a key for some tasks remembers them in their order") {
  Desk desk;
  desk.ask(desk.task_request());
  const std::string task = sample_task().name;
  desk.ask({{"command", "key-add"}, {"name", "shop"}, {"tasks", task + "," + task}, {"per_minute", 7}});
  const auto kept = desk.office.ledger.inference_keys();
  REQUIRE(kept.size() == 1);
  CHECK(kept.front().tasks == std::vector<std::string>{task, task});
  CHECK(kept.front().per_minute == 7);
}

TEST_CASE("a key that cannot be is refused and nothing is kept of it (I9)") {
  Desk desk;
  CHECK(desk.refusal("invalid_argument", {{"command", "key-add"}, {"name", ""}}).find("a-z") !=
        std::string::npos);
  desk.refusal("invalid_argument", {{"command", "key-add"}, {"name", "Shop"}});
  desk.refusal("invalid_argument", {{"command", "key-add"}, {"name", "shop"}, {"per_minute", 0}});
  desk.refusal("not_found", {{"command", "key-add"}, {"name", "shop"}, {"tasks", "nobody"}});
  desk.refusal("not_found", {{"command", "key-remove"}, {"name", "shop"}});
  CHECK(desk.office.ledger.inference_keys().empty());
  desk.ask({{"command", "key-add"}, {"name", "shop"}});
  CHECK(desk.refusal("already_exists", {{"command", "key-add"}, {"name", "shop"}}).find("another name") !=
        std::string::npos);
  CHECK(desk.office.ledger.inference_keys().size() == 1);
}
