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
    for (const auto& device : devices) ready(*device, server);
    for (const auto& device : devices) device->expect<wire::WorkOffer>();
    updates[0].delta = {1.0F, 0.0F, 4.0F, -1.0F};
    updates[1].delta = {2.0F, 3.0F, -4.0F, -1.0F};
    updates[2].delta = {9.0F, -9.0F, 0.5F, 8.0F};
    updates[2].examples = 1'000;
  }

  static void ready(ScriptedDevice& device, const TestServer& server) {
    device.connect(server.port());
    device.subscribe(1);
    device.expect<wire::Subscribed>();
    device.ask_for_work(1);
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
  Three::ready(*three.devices[1], server);
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
