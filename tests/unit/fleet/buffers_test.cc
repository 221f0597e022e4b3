// Rounds of asynchronous tasks, over real connections.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <list>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

using namespace fl;
using namespace fl::test;

namespace {

RoundPlan buffers_of(std::uint32_t updates, std::uint32_t max_staleness) {
  RoundPlan plan;
  plan.strategy = "fedbuff";
  plan.goal = plan.minimum = updates;
  plan.over_selection = 1;
  plan.server_max_staleness = max_staleness;
  plan.server_concurrency = 100;
  return plan;
}

ScriptedDevice::Update update_of(std::uint64_t round, std::uint64_t version, float each = 0.5F) {
  ScriptedDevice::Update update;
  update.round = round;
  update.version = version;
  update.delta = {each, each, each, each};
  return update;
}

/// Three devices with work of the first buffer, of two updates: two of them have made version 2, where every
/// weight is greater by a half, and the third is behind.
struct OneBehind {
  explicit OneBehind(std::uint32_t max_staleness = 4) : server(buffers_of(2, max_staleness)) {
    for (ScriptedDevice* device : {&a, &b, &c}) {
      device->come_for_work(server.port(), 1);
      CHECK(device->expect<wire::WorkOffer>().round() == 1);
    }
    CHECK(a.upload(update_of(1, 1)).outcome() == wire::Outcome::accepted);
    CHECK(b.upload(update_of(1, 1)).outcome() == wire::Outcome::accepted);
    CHECK(a.expect<wire::VersionNotice>().version() == 2);
  }

  /// An update of the second buffer by the device that asks for work in it.
  void complete_second(ScriptedDevice& device) {
    device.ask_for_work(2);
    const auto& offer = device.expect<wire::WorkOffer>();
    CHECK(offer.round() == 2);
    CHECK(offer.version() == 2);
    CHECK(device.upload(update_of(2, 2)).outcome() == wire::Outcome::accepted);
    CHECK(device.expect<wire::VersionNotice>().version() == 3);
  }

  TestServer server;
  ScriptedDevice a{server.token()};
  ScriptedDevice b{server.token()};
  ScriptedDevice c{server.token()};
};

/// What a fresh update of a half and one of `late` that is one version behind make of version 2.
void check_third(TestServer& server, double late) {
  const std::vector<float> weights = server.weights(3);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double base = static_cast<double>(i) + 1.5;
    CHECK(weights[i] == doctest::Approx(base + (0.5 + late / std::sqrt(2.0)) / 2.0).epsilon(1e-6));
  }
}

std::size_t files_in_spool(const TestServer& server) {
  const std::filesystem::directory_iterator files(server.home() / "spool" / "tiny" / "0");
  return static_cast<std::size_t>(std::distance(files, std::filesystem::directory_iterator()));
}

}  // namespace

TEST_CASE("a device that is late for its buffer counts in the next for less (I3)") {
  OneBehind late;
  CHECK(late.c.upload(update_of(1, 1, 1.0F)).outcome() == wire::Outcome::accepted);
  late.complete_second(late.a);
  check_third(late.server, 1.0);
  const std::vector<server::ParticipantRecord> second = late.server.participants(2);
  REQUIRE(second.size() == 2);
  for (const server::ParticipantRecord& device : second) {
    CHECK(device.staleness == (device.device == late.c.id() ? 1 : 0));
    CHECK(device.offered == (device.device == late.c.id() ? 1 : 2));
  }
  CHECK(late.server.participants(1).size() == 2);
  CHECK(files_in_spool(late.server) == 0);
}

TEST_CASE("work is offered to every device as soon as it asks and says how far behind it may be") {
  TestServer server(buffers_of(2, 7));
  ScriptedDevice first(server.token());
  ScriptedDevice second(server.token());
  first.come_for_work(server.port(), 1);
  CHECK(first.expect<wire::WorkOffer>().max_staleness() == 7);
  second.come_for_work(server.port(), 1);
  CHECK(second.expect<wire::WorkOffer>().round() == 1);
}

TEST_CASE("an update that is too far behind is refused as such and costs the buffer nothing (I9)") {
  OneBehind late(0);
  const wire::UpdateReply& reply = late.c.upload(update_of(1, 1));
  CHECK(reply.outcome() == wire::Outcome::stale_version);
  CHECK(wire::text_of(reply.sentence()) ==
        "the update is from version 1, the newest is 2 and an update may be 0 versions behind");
  late.c.ask_for_work(2);
  CHECK(late.c.expect<wire::WorkOffer>().round() == 2);
  CHECK(late.c.upload(update_of(2, 2)).outcome() == wire::Outcome::accepted);
  late.complete_second(late.a);
  CHECK(late.server.weights(3) == std::vector<float>{2, 3, 4, 5});
}

TEST_CASE("work counts once and only as it was given (I3 and I9)") {
  OneBehind late;
  CHECK(late.c.upload(update_of(1, 2)).outcome() == wire::Outcome::stale_version);
  CHECK(late.c.upload(update_of(1, 3)).outcome() == wire::Outcome::stale_version);
  CHECK(late.c.upload(update_of(2, 1)).outcome() == wire::Outcome::not_selected);
  CHECK(late.a.upload(update_of(1, 1)).outcome() == wire::Outcome::already_accepted);
  CHECK(late.a.upload(update_of(1, 1, 2.0F)).outcome() == wire::Outcome::not_selected);
  ScriptedDevice stranger(late.server.token());
  stranger.connect(late.server.port());
  stranger.subscribe(2);
  stranger.expect<wire::Subscribed>();
  CHECK(stranger.upload(update_of(1, 1)).outcome() == wire::Outcome::not_selected);
  CHECK(late.c.upload(update_of(1, 1, 1.0F)).outcome() == wire::Outcome::accepted);
  CHECK(late.c.upload(update_of(1, 1, 1.0F)).outcome() == wire::Outcome::already_accepted);
  CHECK(late.c.upload(update_of(1, 1, 3.0F)).outcome() == wire::Outcome::already_accepted);
  late.complete_second(late.a);
  CHECK(late.c.upload(update_of(1, 1, 1.0F)).outcome() == wire::Outcome::already_accepted);
  CHECK(late.c.upload(update_of(1, 1, 3.0F)).outcome() == wire::Outcome::not_selected);
  check_third(late.server, 1.0);
}

TEST_CASE("new work takes the place of what a device was given and had not done") {
  OneBehind late;
  late.c.ask_for_work(2);
  CHECK(late.c.expect<wire::WorkOffer>().round() == 2);
  CHECK(late.c.upload(update_of(1, 1)).outcome() == wire::Outcome::not_selected);
  CHECK(late.c.upload(update_of(2, 2)).outcome() == wire::Outcome::accepted);
}

TEST_CASE("a restarted server goes on with its buffer and with work of buffers before it (I3 and I4)") {
  OneBehind late;
  SUBCASE("with the late update still to come") {
    late.server.stop();
    late.server.start();
    late.c.connect(late.server.port());
    late.c.subscribe(2);
    late.c.expect<wire::Subscribed>();
    CHECK(late.c.upload(update_of(1, 1, 1.0F)).outcome() == wire::Outcome::accepted);
  }
  SUBCASE("with the late update in the ledger") {
    CHECK(late.c.upload(update_of(1, 1, 1.0F)).outcome() == wire::Outcome::accepted);
    late.server.stop();
    late.server.start();
    late.c.connect(late.server.port());
    late.c.subscribe(2);
    late.c.expect<wire::Subscribed>();
    CHECK(late.c.upload(update_of(1, 1, 1.0F)).outcome() == wire::Outcome::already_accepted);
  }
  late.a.connect(late.server.port());
  late.a.subscribe(2);
  late.a.expect<wire::Subscribed>();
  late.complete_second(late.a);
  check_third(late.server, 1.0);
  CHECK(late.server.rounds().size() == 2);
}

TEST_CASE("a restart forgets work that a device was given before other work (I3)") {
  OneBehind late;
  late.c.ask_for_work(2);
  late.c.expect<wire::WorkOffer>();
  late.server.stop();
  late.server.start();
  late.c.connect(late.server.port());
  late.c.subscribe(2);
  late.c.expect<wire::Subscribed>();
  CHECK(late.c.upload(update_of(1, 1)).outcome() == wire::Outcome::not_selected);
  CHECK(late.c.upload(update_of(2, 2)).outcome() == wire::Outcome::accepted);
}

TEST_CASE("of updates that come at once every one counts in some buffer and in one alone (I3)") {
  TestServer server(buffers_of(2, 5));
  std::list<ScriptedDevice> devices;
  for (int i = 0; i < 8; ++i) devices.emplace_back(server.token()).come_for_work(server.port(), 1);
  for (ScriptedDevice& device : devices) device.expect<wire::WorkOffer>();
  std::atomic<int> accepted = 0;
  {
    std::list<std::jthread> threads;
    for (ScriptedDevice& device : devices) {
      threads.emplace_back(
          [&] { accepted += device.upload(update_of(1, 1)).outcome() == wire::Outcome::accepted ? 1 : 0; });
    }
  }
  CHECK(accepted == 8);
  server.await_figure("fl_rounds_total{outcome=\"committed\",task=\"tiny\"}", 4);
  double moved = 0.5;  // by the first buffer
  std::vector<std::uint64_t> staleness;
  for (std::uint64_t round = 1; round <= 4; ++round) {
    std::size_t counted = 0;
    for (const server::ParticipantRecord& device : server.participants(round)) {
      if (device.state != server::ParticipantState::accepted) continue;
      ++counted;
      CHECK(device.staleness == round - 1);
    }
    CHECK(counted == 2);
    if (round > 1) moved += 0.5 / std::sqrt(static_cast<double>(round));
  }
  CHECK(server.weights(5)[0] == doctest::Approx(1.0 + moved).epsilon(1e-6));
  CHECK(files_in_spool(server) == 0);
}

TEST_CASE("no more devices work than the plan has places and a decline frees one") {
  RoundPlan plan = buffers_of(2, 3);
  plan.server_concurrency = 1;
  TestServer server(plan);
  ScriptedDevice first(server.token());
  ScriptedDevice second(server.token());
  first.come_for_work(server.port(), 1);
  first.expect<wire::WorkOffer>();
  second.come_for_work(server.port(), 1);
  server.await_figure("fl_round_waiting_devices{task=\"tiny\"}", 1);
  SUBCASE("by its update") {
    CHECK(first.upload(update_of(1, 1)).outcome() == wire::Outcome::accepted);
  }
  SUBCASE("by declining") {
    first.decline(1, "too hot here");
  }
  CHECK(second.expect<wire::WorkOffer>().round() == 1);
}

TEST_CASE("an asynchronous task rests after its last round and takes nothing more") {
  RoundPlan plan = buffers_of(1, 3);
  plan.rounds = 1;
  TestServer server(plan);
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  for (ScriptedDevice* device : {&a, &b}) {
    device->come_for_work(server.port(), 1);
    device->expect<wire::WorkOffer>();
  }
  CHECK(a.upload(update_of(1, 1)).outcome() == wire::Outcome::accepted);
  CHECK(b.expect<wire::VersionNotice>().version() == 2);
  CHECK(b.upload(update_of(1, 1)).outcome() == wire::Outcome::not_selected);
  b.ask_for_work(2);
  b.expect<wire::WorkLater>();
}

TEST_CASE("a buffer refuses an update for what it holds and takes others (I9)") {
  OneBehind late;
  CHECK(late.c.upload(update_of(1, 1, 1'000.0F)).outcome() == wire::Outcome::delta_too_large);
  CHECK(late.c.upload(update_of(1, 1)).outcome() == wire::Outcome::not_selected);
  for (const server::ParticipantRecord& device : late.server.participants(2)) {
    CHECK(device.device == late.c.id());
    CHECK(device.state == server::ParticipantState::refused);
    CHECK(device.offered == 1);
  }
  late.b.ask_for_work(2);
  late.b.expect<wire::WorkOffer>();
  CHECK(late.b.upload(update_of(2, 2)).outcome() == wire::Outcome::accepted);
  late.complete_second(late.a);
}

TEST_CASE("a device that waits for the next buffer evaluates the version meanwhile and then has work again") {
  TestServer server(buffers_of(2, 4), EvaluationPlan{1, 1, 1, 600});
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  for (ScriptedDevice* device : {&a, &b}) {
    device->name_features({"evaluation"});
    device->come_for_work(server.port(), 1);
    CHECK(device->expect<wire::WorkOffer>().round() == 1);
  }
  CHECK(a.upload(update_of(1, 1)).outcome() == wire::Outcome::accepted);
  a.ask_for_work(1);
  CHECK(a.expect<wire::EvaluationOffer>().version() == 1);
  CHECK(a.report({}).outcome() == wire::Outcome::accepted);
  a.ask_for_work(1);
  CHECK(b.upload(update_of(1, 1)).outcome() == wire::Outcome::accepted);
  CHECK(a.expect<wire::WorkOffer>().round() == 2);
}

TEST_CASE("updates of committed buffers stay as the plan says and no others") {
  RoundPlan plan = buffers_of(1, 4);
  plan.keep_updates = KeepCount{2};
  TestServer server(plan);
  ScriptedDevice device(server.token());
  device.come_for_work(server.port(), 1);
  std::vector<std::filesystem::path> files;
  for (std::uint64_t round = 1; round <= 4; ++round) {
    CHECK(device.expect<wire::WorkOffer>().round() == round);
    const ScriptedDevice::Update update = update_of(round, round, static_cast<float>(round));
    CHECK(device.upload(update).outcome() == wire::Outcome::accepted);
    const Digest hash = sha256(as_bytes(std::span<const float>(update.delta)));
    files.push_back(server.home() / "spool" / "tiny" / "0" / (device.id() + "-" + hash.hex()));
    device.ask_for_work(round);
  }
  device.expect<wire::WorkOffer>();
  server.stop();
  server.start();
  CHECK(files_in_spool(server) == 2);
  for (const std::size_t round : {2U, 3U}) CHECK(std::filesystem::exists(files[round]));
}
