#include <limits>
#include <list>

#include <SQLiteCpp/Database.h>
#include <doctest/doctest.h>

#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

using namespace fl;
using namespace fl::test;
using server::EvaluationState;

namespace {

/// The task has made all of its rounds: whoever asks is of use to evaluations alone.
RoundPlan resting() {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  plan.rounds = 1;
  return plan;
}

RoundPlan one_of_one() {
  RoundPlan plan = resting();
  plan.rounds = 0;
  plan.over_selection = 1;
  return plan;
}

EvaluationPlan plan_of(std::uint32_t goal, std::uint32_t minimum, std::uint32_t every = 1) {
  return {every, goal, minimum, 600};
}

void come(ScriptedDevice& device, std::uint16_t port, std::uint64_t version,
          const std::vector<std::string>& features = {"evaluation"}) {
  device.name_features(features);
  device.come_for_work(port, version);
}

/// Has the server's only round made, so that version 2 is the newest.
void make_version(TestServer& server) {
  ScriptedDevice device(server.token());
  come(device, server.port(), 1, {});
  device.expect<wire::WorkOffer>();
  CHECK(device.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(device.expect<wire::VersionNotice>().version() == 2);
}

/// A server whose version 2 is evaluated by two devices, of which `device` and `other` have been chosen.
struct Evaluating {
  explicit Evaluating(const EvaluationPlan& plan = plan_of(2, 1, 2))
      : server(resting(), plan), device(server.token()), other(server.token()) {
    make_version(server);
    for (ScriptedDevice* one : {&device, &other}) come(*one, server.port(), 2);
    for (ScriptedDevice* one : {&device, &other}) {
      CHECK(one->expect<wire::EvaluationOffer>().evaluation() == 1);
    }
  }

  TestServer server;
  ScriptedDevice device;
  ScriptedDevice other;
};

ScriptedDevice::Report good(std::uint64_t evaluation = 1) {
  ScriptedDevice::Report report;
  report.evaluation = evaluation;
  report.version = 2;
  return report;
}

}  // namespace

TEST_CASE("devices evaluate a version and what they report is added up and stored with it") {
  Evaluating run;
  ScriptedDevice::Report first = good();
  ScriptedDevice::Report second = good();
  first.examples = 30;
  first.loss_sum = 15.0;
  first.correct = 15.0;
  second.examples = 10;
  second.loss_sum = 10.0;
  second.correct = 9.0;
  CHECK(run.device.report(first).outcome() == wire::Outcome::accepted);
  CHECK(run.server.evaluations().front().state == EvaluationState::open);
  CHECK(run.other.report(second).outcome() == wire::Outcome::accepted);
  const std::vector<server::EvaluationRecord> evaluations = run.server.evaluations();
  REQUIRE(evaluations.size() == 1);
  const server::EvaluationRecord& record = evaluations.front();
  CHECK(record.state == EvaluationState::complete);
  CHECK(record.version == 2);
  CHECK(record.reason.empty());
  CHECK(record.summary.devices == 2);
  CHECK(record.summary.examples == 40);
  CHECK(record.summary.loss == 0.625);    // 25 / 40, by hand
  CHECK(record.summary.accuracy == 0.6);  // 24 / 40
  CHECK(record.summary.accuracy_spread.value().min == 0.5);
  CHECK(record.summary.accuracy_spread.value().max == 0.9);
  CHECK(run.server.figure(R"(fl_evaluation_version{task="tiny"})") == 2);
  CHECK(run.server.figure(R"(fl_evaluation_devices{task="tiny"})") == 2);
  CHECK(run.server.figure(R"(fl_evaluation_loss{task="tiny"})") == 0.625);
  CHECK(run.server.figure(R"(fl_evaluation_accuracy{task="tiny"})") == 0.6);
  CHECK(run.server.figure(R"(fl_evaluation_reports_total{outcome="accepted",reason="",task="tiny"})") == 2);
  run.device.ask_for_work(2);
  CHECK(wire::text_of(run.device.expect<wire::WorkLater>().reason()) ==
        "the task has made all of its rounds");
}

TEST_CASE("a device that has not named the feature is never offered an evaluation and may not report") {
  TestServer server(resting(), plan_of(2, 1));
  make_version(server);
  ScriptedDevice older(server.token());
  come(older, server.port(), 2, {"zstd"});
  older.expect<wire::WorkLater>();
  CHECK(server.evaluations().empty());
  older.send(wire::make_message<wire::EvaluationReport>([](flatbuffers::FlatBufferBuilder& builder) {
    return wire::CreateEvaluationReport(builder, builder.CreateString("tiny"), 1, 2, 10, 5.0, 8.0);
  }));
  CHECK(older.expect<wire::Refusal>().code() == wire::RefusalCode::unexpected);
}

TEST_CASE("without the setting no version is evaluated and otherwise those whose number is a multiple") {
  for (const std::uint32_t every : {0U, 3U}) {
    TestServer server(resting(), plan_of(2, 1, every));
    make_version(server);
    ScriptedDevice device(server.token());
    come(device, server.port(), 2);
    device.expect<wire::WorkLater>();
    CHECK(server.evaluations().empty());
  }
}

TEST_CASE("the round has the first choice and a device that has sent its update evaluates meanwhile") {
  RoundPlan two;
  two.goal = two.minimum = 2;
  TestServer server(two, plan_of(1, 1));
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  come(a, server.port(), 1);
  come(b, server.port(), 1);
  a.expect<wire::WorkOffer>();
  b.expect<wire::WorkOffer>();
  CHECK(a.upload({}).outcome() == wire::Outcome::accepted);
  a.ask_for_work(1);
  const auto& offer = a.expect<wire::EvaluationOffer>();
  CHECK(offer.version() == 1);
  CHECK(offer.deadline_ms() > 590'000);
  CHECK(a.report({}).outcome() == wire::Outcome::accepted);
  CHECK(server.evaluations().front().state == EvaluationState::complete);
  CHECK(b.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(b.expect<wire::VersionNotice>().version() == 2);
}

TEST_CASE("of devices that ask together as many are chosen as there are places") {
  TestServer server(resting(), plan_of(2, 1, 2));
  make_version(server);
  std::list<ScriptedDevice> devices;
  for (int i = 0; i < 5; ++i) {
    ScriptedDevice& device = devices.emplace_back(server.token());
    device.name_features({"evaluation"});
    device.connect(server.port());
    device.subscribe(2);
    device.expect<wire::Subscribed>();
  }
  for (ScriptedDevice& device : devices) device.ask_for_work(2);
  int offered = 0;
  int turned_away = 0;
  for (ScriptedDevice& device : devices) {
    const wire::Message& answer = device.receive();
    offered += answer.body_as_EvaluationOffer() != nullptr ? 1 : 0;
    turned_away += answer.body_as_WorkLater() != nullptr ? 1 : 0;
  }
  CHECK(offered == 2);
  CHECK(turned_away == 3);
  CHECK(server.evaluators(1).size() == 2);
}

TEST_CASE("a report that does not fit the evaluation is refused by what is wrong (I9)") {
  Evaluating run;
  ScriptedDevice::Report report = good();
  report.evaluation = 2;
  CHECK(run.device.report(report).outcome() == wire::Outcome::round_closed);
  report = good();
  report.version = 1;
  const auto& stale = run.device.report(report);
  CHECK(stale.outcome() == wire::Outcome::stale_version);
  CHECK(wire::text_of(stale.sentence()) == "the evaluation is of version 2");
  ScriptedDevice stranger(run.server.token());
  come(stranger, run.server.port(), 2);
  stranger.expect<wire::WorkLater>();
  CHECK(stranger.report(good()).outcome() == wire::Outcome::not_selected);
  CHECK(run.device.report(good()).outcome() == wire::Outcome::accepted);
  CHECK(run.device.report(good()).outcome() == wire::Outcome::already_accepted);
  CHECK(run.other.report(good()).outcome() == wire::Outcome::accepted);
  CHECK(run.other.report(good()).outcome() == wire::Outcome::round_closed);
  const server::EvaluationSummary summary = run.server.evaluations().front().summary;
  CHECK(summary.devices == 2);
  CHECK(summary.examples == 20);
}

TEST_CASE("a report of what cannot be counts for nothing and its device may make no other (I8)") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  struct Bad {
    std::uint64_t examples;
    double loss_sum;
    double correct;
    wire::Outcome outcome;
  };
  const std::vector<Bad> all_bad{{0, 0.0, 0.0, wire::Outcome::no_examples},
                                 {(1U << 29U) + 1, 1.0, 1.0, wire::Outcome::too_many_examples},
                                 {10, nan, 1.0, wire::Outcome::not_finite},
                                 {10, -infinity, 1.0, wire::Outcome::not_finite},
                                 {10, 1.1e10, 1.0, wire::Outcome::implausible},
                                 {10, 1.0, 11.0, wire::Outcome::implausible},
                                 {10, 1.0, -2.0, wire::Outcome::implausible},
                                 {10, 1.0, nan, wire::Outcome::implausible}};
  TestServer server(resting(), plan_of(20, 1, 2));
  make_version(server);
  for (const Bad& bad : all_bad) {
    ScriptedDevice device(server.token());
    come(device, server.port(), 2);
    device.expect<wire::EvaluationOffer>();
    ScriptedDevice::Report report = good();
    report.examples = bad.examples;
    report.loss_sum = bad.loss_sum;
    report.correct = bad.correct;
    CHECK(device.report(report).outcome() == bad.outcome);
    CHECK(device.report(good()).outcome() == wire::Outcome::not_selected);
    device.ask_for_work(2);
    device.expect<wire::WorkLater>();
  }
  for (const server::EvaluatorRecord& device : server.evaluators(1)) {
    CHECK(device.state == server::EvaluatorState::refused);
    CHECK_FALSE(device.reason.empty());
    CHECK(device.examples == 0);
  }
  CHECK(server.figure(R"(fl_evaluation_reports_total{outcome="refused",reason="not_finite",task="tiny"})") ==
        2);
}

TEST_CASE("a model without right and wrong has no accuracy") {
  Evaluating run;
  ScriptedDevice::Report report = good();
  report.correct = -1.0;
  for (ScriptedDevice* one : {&run.device, &run.other}) {
    CHECK(one->report(report).outcome() == wire::Outcome::accepted);
  }
  CHECK(run.server.evaluations().front().summary.loss == 0.5);
  CHECK_FALSE(run.server.evaluations().front().summary.accuracy);
}

TEST_CASE("a device that declines is waited for no longer and others take its place") {
  Evaluating run;
  run.device.decline_evaluation(7, "of another evaluation, which is ignored");
  run.device.decline_evaluation(1, "nothing held\nout \xff");
  ScriptedDevice third(run.server.token());
  come(third, run.server.port(), 2);
  third.expect<wire::EvaluationOffer>();
  CHECK(third.report(good()).outcome() == wire::Outcome::accepted);
  CHECK(run.other.report(good()).outcome() == wire::Outcome::accepted);
  CHECK(run.server.evaluations().front().state == EvaluationState::complete);
  for (const server::EvaluatorRecord& device : run.server.evaluators(1)) {
    if (device.device != run.device.id()) continue;
    CHECK(device.state == server::EvaluatorState::refused);
    CHECK(device.reason == "the device declined: nothing held out ?");
  }
}

TEST_CASE("in the means a device counts for as many examples as it may in a round") {
  Evaluating run;
  ScriptedDevice::Report many = good();
  many.examples = 1'000'000'000 / 2;
  many.loss_sum = 0.25 * 500'000'000;
  many.correct = 500'000'000;
  CHECK(run.device.report(many).outcome() == wire::Outcome::accepted);
  for (const server::EvaluatorRecord& report : run.server.evaluators(1)) {
    if (report.device != run.device.id()) continue;
    CHECK(report.examples == RoundPlan().max_examples);
    CHECK(report.loss_sum == 0.25 * RoundPlan().max_examples);
    CHECK(report.correct == RoundPlan().max_examples);
  }
}

TEST_CASE("a restarted server goes on with the evaluation it had and loses no report (I3)") {
  Evaluating run;
  CHECK(run.device.report(good()).outcome() == wire::Outcome::accepted);
  run.server.stop();
  run.server.start();
  CHECK(run.server.evaluations().front().state == EvaluationState::open);
  come(run.device, run.server.port(), 2);
  run.device.expect<wire::WorkLater>();
  CHECK(run.device.report(good()).outcome() == wire::Outcome::already_accepted);
  come(run.other, run.server.port(), 2);
  CHECK(run.other.expect<wire::EvaluationOffer>().evaluation() == 1);
  CHECK(run.other.report(good()).outcome() == wire::Outcome::accepted);
  CHECK(run.server.evaluations().front().summary.devices == 2);
  run.server.stop();
  run.server.start();
  CHECK(run.server.figure(R"(fl_evaluation_devices{task="tiny"})") == 2);
  come(run.device, run.server.port(), 2);
  run.device.expect<wire::WorkLater>();  // a version is evaluated once
  CHECK(run.server.evaluations().size() == 1);
}

TEST_CASE("the next version to evaluate ends an evaluation and with too few reports it is incomplete") {
  TestServer server(one_of_one(), plan_of(5, 2));
  ScriptedDevice trains(server.token());
  ScriptedDevice evaluates(server.token());
  come(trains, server.port(), 1, {});
  trains.expect<wire::WorkOffer>();
  come(evaluates, server.port(), 1);
  evaluates.expect<wire::EvaluationOffer>();
  CHECK(evaluates.report({}).outcome() == wire::Outcome::accepted);
  CHECK(trains.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(trains.expect<wire::VersionNotice>().version() == 2);
  const server::EvaluationRecord record = server.evaluations().front();
  CHECK(record.state == EvaluationState::incomplete);
  CHECK(record.reason == "the next version to evaluate came");
  CHECK(record.summary.devices == 1);
  CHECK(record.summary.accuracy == 0.8);
  CHECK(evaluates.report({}).outcome() == wire::Outcome::round_closed);
}

TEST_CASE("at its deadline an evaluation ends with what has come") {
  EvaluationPlan plan = plan_of(5, 1, 2);
  plan.deadline_seconds = 2;
  Evaluating run(plan);
  CHECK(run.device.report(good()).outcome() == wire::Outcome::accepted);
  run.server.await_figure(R"(fl_evaluation_devices{task="tiny"})", 1);
  const server::EvaluationRecord record = run.server.evaluations().front();
  CHECK(record.state == EvaluationState::complete);
  CHECK(record.reason == "its time was over");
  CHECK(run.other.report(good()).outcome() == wire::Outcome::round_closed);
}

TEST_CASE("a report that the ledger cannot take is not acknowledged and is taken once it can (I3)") {
  Evaluating run;
  const auto execute = [&](const char* sql) {
    SQLite::Database((run.server.home() / "ledger.db").string(), SQLite::OPEN_READWRITE).exec(sql);
  };
  execute("CREATE TRIGGER full BEFORE UPDATE ON evaluators BEGIN SELECT RAISE(ABORT, 'full'); END");
  CHECK(run.device.report(good()).outcome() == wire::Outcome::server_failure);
  execute("DROP TRIGGER full");
  wire::Outcome outcome = wire::Outcome::server_failure;
  while (outcome == wire::Outcome::server_failure) outcome = run.device.report(good()).outcome();
  CHECK(outcome == wire::Outcome::accepted);
  CHECK(run.other.report(good()).outcome() == wire::Outcome::accepted);
  CHECK(run.server.evaluations().front().summary.devices == 2);
}
