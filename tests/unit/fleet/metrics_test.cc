#include <limits>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

using namespace fl;
using namespace fl::test;

namespace {

RoundPlan plan_for(std::uint32_t goal) {
  RoundPlan plan;
  plan.goal = goal;
  plan.minimum = 1;
  plan.max_examples = 100;
  plan.max_delta = 2.0;
  return plan;
}

std::string updates(const std::string& outcome, const std::string& reason) {
  return "fl_updates_total{outcome=\"" + outcome + "\",reason=\"" + reason + "\",task=\"tiny\"}";
}

void join(ScriptedDevice& device, std::uint16_t port) {
  device.come_for_work(port, 1);
}

}  // namespace

TEST_CASE("updates are counted by what became of them and accepted ones as the ledger has them (I3)") {
  TestServer server(plan_for(4));
  ScriptedDevice first(server.token());
  ScriptedDevice second(server.token());
  ScriptedDevice third(server.token());
  ScriptedDevice fourth(server.token());
  for (ScriptedDevice* device : {&first, &second, &third, &fourth}) join(*device, server.port());
  for (ScriptedDevice* device : {&first, &second, &third, &fourth}) device->expect<wire::WorkOffer>();
  CHECK(server.figure(R"(fl_round_phase{phase="training",task="tiny"})") == 1);
  CHECK(server.figure(R"(fl_round_cohort_devices{task="tiny"})") == 4);
  CHECK(server.figure(R"(fl_connections{peer="device"})") == 4);
  CHECK(server.figure("fl_enrolments_total") == 4);

  ScriptedDevice::Update bad;
  bad.examples = 0;
  fourth.upload(bad);
  bad = {};
  bad.delta[0] = std::numeric_limits<float>::infinity();
  second.upload(bad);
  CHECK(first.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(first.upload({}).outcome() == wire::Outcome::already_accepted);
  CHECK(server.figure(updates("accepted", "")) == 1);
  CHECK(server.figure(updates("already_accepted", "")) == 1);
  CHECK(server.figure(updates("refused", "no_examples")) == 1);
  CHECK(server.figure(updates("refused", "not_finite")) == 1);
  CHECK(server.figure(R"(fl_round_accepted_updates{task="tiny"})") == 1);

  third.decline(1, "no power");
  server.await_figure(R"(fl_rounds_total{outcome="committed",task="tiny"})", 1);
  CHECK(server.figure(updates("declined", "")) == 1);
  CHECK(server.figure(R"(fl_version{task="tiny"})") == 2);
  CHECK(server.figure(R"(fl_fold_seconds_count{task="tiny"})") == 1);
  CHECK(server.figure(R"(fl_aggregation_seconds_count{task="tiny"})") == 1);
  // Two deltas of four elements came; that without examples was refused before its bytes.
  CHECK(server.figure(R"(fl_transfer_bytes_total{direction="received",encoding="fp32",task="tiny"})") == 32);
  CHECK(server.rounds().front().state == server::RoundState::committed);
  CHECK(server.figure("fl_ledger_commit_seconds_count").value_or(0) > 6);
}

TEST_CASE("refusals are counted by where and why and named in the log with the device (I9)") {
  TestServer server(plan_for(1));
  net::EnrolmentToken invented = server.token();
  invented.secret.front() ^= std::byte{1};
  CHECK_THROWS_AS(const ScriptedDevice stranger(invented), Error);
  CHECK(server.figure(R"(fl_refusals_total{reason="token_unknown",stage="enrolment"})") == 1);
  ScriptedDevice device(server.token());
  device.connect(server.port());
  device.ask_for_work(1);
  CHECK(device.expect<wire::Refusal>().code() == wire::RefusalCode::unexpected);
  CHECK(server.figure(R"(fl_refusals_total{reason="unexpected",stage="session"})") == 1);
  server.revoke(device.id());
  CHECK_THROWS_AS(device.connect(server.port()), Error);
  CHECK(server.figure(R"(fl_refusals_total{reason="revoked",stage="session"})") == 1);
  std::size_t lines = 0;
  for (const std::string& line : server.log_lines()) {
    if (line.find("device=" + device.id()) == std::string::npos) continue;
    if (line.find("WorkRequest needs a subscription") != std::string::npos) ++lines;
    if (line.find("has been revoked") != std::string::npos) ++lines;
  }
  CHECK(lines == 2);
}
