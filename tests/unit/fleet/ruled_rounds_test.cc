// Rounds of strategies that read the updates from the spool.

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

using namespace fl;
using namespace fl::test;

namespace {

RoundPlan median_of_three() {
  RoundPlan plan;
  plan.goal = 3;
  plan.minimum = 3;
  plan.strategy = "median";
  return plan;
}

/// Three devices that have the work of the first round, and what each will send.
struct Three {
  explicit Three(TestServer& server) {
    for (std::size_t i = 0; i < 3; ++i) devices.push_back(std::make_unique<ScriptedDevice>(server.token()));
    for (const auto& device : devices) device->come_for_work(server.port(), 1);
    for (const auto& device : devices) device->expect<wire::WorkOffer>();
    updates[0].delta = {1.0F, 0.0F, 4.0F, -1.0F};
    updates[1].delta = {2.0F, 3.0F, -4.0F, -1.0F};
    updates[2].delta = {9.0F, -9.0F, 0.5F, 8.0F};
    updates[2].examples = 1'000;
  }

  std::vector<std::unique_ptr<ScriptedDevice>> devices;
  std::array<ScriptedDevice::Update, 3> updates;
};

// The base is 1, 2, 3, 4.
const std::vector<float> moved_by_median = {3.0F, 2.0F, 3.5F, 3.0F};

}  // namespace

TEST_CASE("a round of the median moves every weight by the middle update whoever sends it (I4)") {
  for (const std::size_t first : {0U, 1U, 2U}) {
    TestServer server(median_of_three());
    Three three(server);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t now = (first + i) % 3;
      CHECK(three.devices[now]->upload(three.updates[(now + first) % 3]).outcome() ==
            wire::Outcome::accepted);
    }
    CHECK(three.devices[0]->expect<wire::VersionNotice>().version() == 2);
    CHECK(server.weights(2) == moved_by_median);
  }
}

TEST_CASE("a round of the median goes on after a restart to the same bits (I3)") {
  TestServer server(median_of_three());
  Three three(server);
  CHECK(three.devices[0]->upload(three.updates[0]).outcome() == wire::Outcome::accepted);
  CHECK(three.devices[2]->upload(three.updates[2]).outcome() == wire::Outcome::accepted);
  server.stop();
  server.start();
  three.devices[1]->come_for_work(server.port(), 1);
  three.devices[1]->expect<wire::WorkOffer>();
  CHECK(three.devices[1]->upload(three.updates[1]).outcome() == wire::Outcome::accepted);
  CHECK(three.devices[1]->expect<wire::VersionNotice>().version() == 2);
  CHECK(server.weights(2) == moved_by_median);
  CHECK(server.rounds().size() == 1);
}

TEST_CASE("a round of the median whose update is lost while it runs is recorded as abandoned (I3)") {
  TestServer server(median_of_three());
  Three three(server);
  CHECK(three.devices[0]->upload(three.updates[0]).outcome() == wire::Outcome::accepted);
  CHECK(three.devices[1]->upload(three.updates[1]).outcome() == wire::Outcome::accepted);
  server.rounds();  // which waits until the fold has been handed what came
  for (const auto& file : std::filesystem::directory_iterator(server.home() / "spool" / "tiny" / "1")) {
    std::filesystem::resize_file(file.path(), 3);
  }
  CHECK(three.devices[2]->upload(three.updates[2]).outcome() == wire::Outcome::accepted);
  for (const auto& device : three.devices) device->ask_for_work(1);
  CHECK(three.devices[0]->expect<wire::WorkOffer>().round() == 2);
  const std::vector<server::RoundRecord> rounds = server.rounds();
  REQUIRE(rounds.size() == 2);
  CHECK(rounds[0].state == server::RoundState::abandoned);
  CHECK(rounds[0].reason.find("acknowledged updates cannot be read any more") == 0);
}

TEST_CASE("a round of FedNova goes on after a restart with the steps that were announced (I3)") {
  RoundPlan plan;
  plan.strategy = "fednova";  // one epoch in batches of 16
  TestServer server(plan);
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  for (ScriptedDevice* device : {&a, &b}) device->come_for_work(server.port(), 1);
  for (ScriptedDevice* device : {&a, &b}) device->expect<wire::WorkOffer>();
  ScriptedDevice::Update update;
  update.delta = {4.0F, -4.0F, 0.0F, 8.0F};
  update.examples = 64;
  update.steps = 4;
  CHECK(a.upload(update).outcome() == wire::Outcome::accepted);
  server.stop();
  server.start();
  b.come_for_work(server.port(), 1);
  b.expect<wire::WorkOffer>();
  update.delta = {0.0F, 2.0F, 2.0F, 0.0F};
  update.examples = 192;
  update.steps = 12;
  CHECK(b.upload(update).outcome() == wire::Outcome::accepted);
  CHECK(b.expect<wire::VersionNotice>().version() == 2);
  // τ_eff = 1/4·4 + 3/4·12 = 10; Σ p·Δ/τ = 1/4·Δ_a/4 + 3/4·Δ_b/12: 1/4, −1/8, 1/8 and 1/2.
  CHECK(server.weights(2) == std::vector<float>{3.5F, 0.75F, 4.25F, 9.0F});
}

TEST_CASE("an update whose steps the plan does not make is refused and its round does not wait for it (I9)") {
  RoundPlan plan;
  plan.strategy = "fednova";
  plan.minimum = 1;
  TestServer server(plan);
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  for (ScriptedDevice* device : {&a, &b}) device->come_for_work(server.port(), 1);
  for (ScriptedDevice* device : {&a, &b}) device->expect<wire::WorkOffer>();
  ScriptedDevice::Update update;
  update.steps = 1'000'000;
  const wire::UpdateReply& reply = a.upload(update);
  CHECK(reply.outcome() == wire::Outcome::implausible);
  CHECK(wire::text_of(reply.sentence()) == "the update says 1000000 steps, the plan makes 1 on 10 examples");
  CHECK(b.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(b.expect<wire::VersionNotice>().version() == 2);
  CHECK(server.weights(2) == std::vector<float>{1.5F, 2.5F, 3.5F, 4.5F});
  update.steps = 1;
  CHECK(a.upload(update).outcome() == wire::Outcome::round_closed);
}

TEST_CASE("a round of q-FedAvg weighs by the loss on held-out examples and refuses updates without (I9)") {
  RoundPlan plan;
  plan.strategy = "qfedavg";
  plan.minimum = 1;
  plan.server_lipschitz = 0.5;
  TestServer server(plan);
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  for (ScriptedDevice* device : {&a, &b}) device->come_for_work(server.port(), 1);
  for (ScriptedDevice* device : {&a, &b}) device->expect<wire::WorkOffer>();
  CHECK(a.upload({}).outcome() == wire::Outcome::implausible);
  ScriptedDevice::Update update;
  update.delta = {1.0F, 0.0F, 0.0F, -1.0F};
  update.test_examples = 3;
  update.test_loss = 1.0;
  CHECK(b.upload(update).outcome() == wire::Outcome::accepted);
  CHECK(b.expect<wire::VersionNotice>().version() == 2);
  // q = 1: F·Δ / (L·|Δ|² + F) = Δ / 2.
  CHECK(server.weights(2) == std::vector<float>{1.5F, 2.0F, 3.0F, 3.5F});
}
