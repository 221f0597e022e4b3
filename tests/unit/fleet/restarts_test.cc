#include <filesystem>
#include <fstream>
#include <set>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/fleet/first_round.h"

using namespace fl;
using namespace fl::test;

namespace {

std::set<std::filesystem::path> blobs_of(const TestServer& server) {
  std::set<std::filesystem::path> blobs;
  for (const auto& blob : std::filesystem::directory_iterator(server.home() / "blobs"))
    blobs.insert(blob.path());
  return blobs;
}

/// What 'fl-server republish' does to a server that is stopped.
void publish_again(const TestServer& server, std::uint64_t number) {
  const server::ServerHome home = server::ServerHome::open(server.home());
  server::Ledger ledger(home.ledger_path());
  server::BlobStore blobs(home.blobs_path());
  server::Registry(ledger, blobs, home.signing_key()).publish_again("tiny", number, SystemClock().now());
}

}  // namespace

TEST_CASE("a restarted server goes on with the round it had and loses no acknowledged update (I3)") {
  TestServer server(two_of_two());
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  a.come_for_work(server.port(), 1);
  b.come_for_work(server.port(), 1);
  a.expect<wire::WorkOffer>();
  const std::uint64_t seed = b.expect<wire::WorkOffer>().seed();
  CHECK(a.upload({}).outcome() == wire::Outcome::accepted);
  server.stop();
  server.start();
  a.connect(server.port());
  a.subscribe(1);
  a.expect<wire::Subscribed>();
  CHECK(a.upload({}).outcome() == wire::Outcome::already_accepted);
  b.come_for_work(server.port(), 1);
  const auto& again = b.expect<wire::WorkOffer>();
  CHECK(again.round() == 1);
  CHECK(again.seed() == seed);
  CHECK(b.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(b.expect<wire::VersionNotice>().version() == 2);
  CHECK(server.weights(2) == std::vector<float>{1.5F, 2.5F, 3.5F, 4.5F});
  CHECK(server.rounds().size() == 1);
}

TEST_CASE("what a strategy carries from round to round survives a restart") {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  plan.strategy = "fedavgm";
  plan.server_momentum = 0.5;
  TestServer server(plan);
  ScriptedDevice device(server.token());
  make_second_version(server, device);
  server.stop();
  server.start();
  device.come_for_work(server.port(), 2);
  device.expect<wire::WorkOffer>();
  ScriptedDevice::Update update;
  update.round = 2;
  update.version = 2;
  CHECK(device.upload(update).outcome() == wire::Outcome::accepted);
  CHECK(device.expect<wire::VersionNotice>().version() == 3);
  // m = 0.5, then 0.5 · 0.5 + 0.5.
  CHECK(server.weights(3) == std::vector<float>{2.25F, 3.25F, 4.25F, 5.25F});
}

TEST_CASE("a round whose acknowledged update is lost on the disk is recorded as abandoned (I3)") {
  for (const bool gone : {false, true}) {
    TestServer server(two_of_two());
    ScriptedDevice a(server.token());
    ScriptedDevice b(server.token());
    begin_round(server, a, b);
    CHECK(a.upload({}).outcome() == wire::Outcome::accepted);
    server.stop();
    const std::filesystem::path spool = server.home() / "spool" / "tiny" / "1";
    for (const auto& file : std::filesystem::directory_iterator(spool)) {
      std::ofstream(file.path(), std::ios::in | std::ios::binary) << "x";
    }
    if (gone) std::filesystem::remove_all(spool);
    server.start();
    b.come_for_work(server.port(), 1);
    b.expect<wire::WorkOffer>();
    CHECK(b.upload({}).outcome() == wire::Outcome::accepted);
    a.come_for_work(server.port(), 1);
    b.come_for_work(server.port(), 1);
    CHECK(a.expect<wire::WorkOffer>().round() == 2);
    const std::vector<server::RoundRecord> rounds = server.rounds();
    REQUIRE(rounds.size() == 2);
    CHECK(rounds[0].state == server::RoundState::abandoned);
    CHECK(rounds[0].reason.find("acknowledged updates cannot be read any more") == 0);
  }
}

TEST_CASE("a task makes all of its rounds though versions were published again") {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  plan.rounds = 2;
  TestServer server(plan);
  ScriptedDevice device(server.token());
  make_second_version(server, device);
  server.stop();
  publish_again(server, 5);
  server.start();
  device.come_for_work(server.port(), 5);
  const auto& offer = device.expect<wire::WorkOffer>();
  CHECK(offer.round() == 2);
  CHECK(offer.version() == 5);
  ScriptedDevice::Update update;
  update.round = 2;
  update.version = 5;
  CHECK(device.upload(update).outcome() == wire::Outcome::accepted);
  CHECK(device.expect<wire::VersionNotice>().version() == 6);
  device.ask_for_work(6);
  CHECK(wire::text_of(device.expect<wire::WorkLater>().reason()) == "the task has made all of its rounds");
}

TEST_CASE("the pause after an abandoned round survives a restart") {
  RoundPlan plan = two_of_two();
  plan.deadline_seconds = 1;
  TestServer server(plan);
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  begin_round(server, a, b);
  server.await_figure(R"(fl_rounds_total{outcome="abandoned",task="tiny"})", 1);
  server.stop();
  server.start();
  a.come_for_work(server.port(), 1);
  b.come_for_work(server.port(), 1);
  for (ScriptedDevice* device : {&a, &b}) CHECK(device->expect<wire::WorkOffer>().round() == 2);
  const std::vector<server::RoundRecord> rounds = server.rounds();
  REQUIRE(rounds.size() == 2);
  CHECK(rounds[1].opened - rounds[0].closed >= std::chrono::seconds(2));
}

TEST_CASE("a server whose newest version is not whole on the disk does not start (I9)") {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  plan.strategy = "fedavgm";
  TestServer server(plan);
  const std::set<std::filesystem::path> first = blobs_of(server);
  ScriptedDevice device(server.token());
  make_second_version(server, device);
  server.stop();
  std::size_t newer = 0;  // the weights and what the strategy carries
  for (const std::filesystem::path& blob : blobs_of(server)) {
    if (first.contains(blob)) continue;
    ++newer;
    const std::filesystem::path kept = server.home() / "kept";
    std::filesystem::rename(blob, kept);
    CHECK_THROWS_AS(server.start(), Error);
    std::ofstream(blob) << "cut";
    CHECK_THROWS_AS(server.start(), Error);
    std::filesystem::rename(kept, blob);
  }
  CHECK(newer == 2);
  server.start();
  CHECK(server.rounds().size() == 1);
}

TEST_CASE("what rounds before the open one left in the spool is gone after a restart") {
  TestServer server(two_of_two());
  server.stop();
  const std::filesystem::path left = server.home() / "spool" / "tiny" / "17";
  std::filesystem::create_directories(left);
  server.start();
  server.rounds();
  CHECK_FALSE(std::filesystem::exists(left));
}
