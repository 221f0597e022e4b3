#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <list>
#include <map>
#include <set>
#include <thread>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

using namespace fl;
using namespace fl::test;

namespace {

RoundPlan two_of_two() {
  RoundPlan plan;
  plan.goal = 2;
  plan.minimum = 2;
  return plan;
}

void ready(ScriptedDevice& device, std::uint16_t port, std::uint64_t version) {
  device.connect(port);
  device.subscribe(version);
  device.expect<wire::Subscribed>();
  device.ask_for_work(version);
}

/// Both have the work of the first round.
void begin_round(const TestServer& server, ScriptedDevice& a, ScriptedDevice& b) {
  ready(a, server.port(), 1);
  ready(b, server.port(), 1);
  a.expect<wire::WorkOffer>();
  b.expect<wire::WorkOffer>();
}

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

TEST_CASE("two devices make a round and both are pushed the exact mean") {
  TestServer server(two_of_two());
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  ready(a, server.port(), 1);
  ready(b, server.port(), 1);
  const std::uint64_t seed_of_a = a.expect<wire::WorkOffer>().seed();
  const auto& offer = b.expect<wire::WorkOffer>();
  CHECK(offer.round() == 1);
  CHECK(offer.version() == 1);
  CHECK(offer.seed() != seed_of_a);
  REQUIRE(offer.plan() != nullptr);
  CHECK(offer.plan()->learning_rate() == 0.05);

  ScriptedDevice::Update small;
  small.delta = {1, 0, 0, 0};
  small.examples = 30;
  ScriptedDevice::Update large;
  large.delta = {5, 4, 0, 0};
  large.examples = 10;
  CHECK(a.upload(small).outcome() == wire::Outcome::accepted);
  CHECK(b.upload(large).outcome() == wire::Outcome::accepted);
  const wire::Message& pushed = a.receive();
  REQUIRE(pushed.body_as_VersionNotice() != nullptr);
  CHECK(pushed.body_as_VersionNotice()->version() == 2);
  CHECK(b.receive().body_as_VersionNotice() != nullptr);
  // 1 + (30·1 + 10·5)/40 and 2 + (10·4)/40, by hand.
  CHECK(server.weights(2) == std::vector<float>{3, 3, 3, 4});
}

TEST_CASE("of updates that come at once as many are accepted as make the round (I3)") {
  RoundPlan plan;
  plan.goal = plan.minimum = 8;
  plan.over_selection = 1.5;
  SUBCASE("synced") {}
  SUBCASE("not synced") {
    plan.durability = Durability::relaxed;
  }
  TestServer server(plan);
  std::list<ScriptedDevice> devices;
  for (int i = 0; i < 12; ++i) ready(devices.emplace_back(server.token()), server.port(), 1);
  for (ScriptedDevice& device : devices) device.expect<wire::WorkOffer>();
  std::atomic<int> accepted = 0;
  std::atomic<int> late = 0;
  {
    std::list<std::jthread> threads;
    for (ScriptedDevice& device : devices) {
      threads.emplace_back([&] {
        const wire::Outcome outcome = device.upload({}).outcome();
        accepted += outcome == wire::Outcome::accepted ? 1 : 0;
        late += outcome == wire::Outcome::round_closed ? 1 : 0;
      });
    }
  }
  CHECK(accepted == 8);
  CHECK(late == 4);
  devices.front().subscribe(1);
  while (devices.front().receive().body_as_VersionNotice() == nullptr) {
  }
  const std::vector<server::ParticipantRecord> participants = server.participants(1);
  CHECK(std::count_if(participants.begin(), participants.end(), [](const auto& participant) {
          return participant.state == server::ParticipantState::accepted;
        }) == 8);
  CHECK(server.weights(2) == std::vector<float>{1.5F, 2.5F, 3.5F, 4.5F});
}

TEST_CASE("updates that travelled encoded are counted as what they decode to, also after a restart (I3)") {
  RoundPlan plan = two_of_two();
  plan.encoding = Encoding::int8;
  TestServer server(plan);
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  ready(a, server.port(), 1);
  ready(b, server.port(), 1);
  CHECK(a.expect<wire::WorkOffer>().encoding() == wire::Encoding::int8);
  b.expect<wire::WorkOffer>();
  ScriptedDevice::Update update;
  update.delta = {1.27F, -0.01F, 0.5F, 0};
  update.encoding = Encoding::int8;
  CHECK(a.upload(update).outcome() == wire::Outcome::accepted);
  server.stop();
  server.start();
  ready(b, server.port(), 1);
  b.expect<wire::WorkOffer>();
  CHECK(b.upload({}).outcome() == wire::Outcome::accepted);  // fp32 is always taken
  CHECK(b.expect<wire::VersionNotice>().version() == 2);
  // The largest element is 127 steps of 0.01, so that each of these is a whole number of them.
  const std::vector<float> weights = server.weights(2);
  const std::vector<double> expected = {1 + 0.885, 2 + 0.245, 3 + 0.5, 4 + 0.25};
  for (std::size_t i = 0; i < weights.size(); ++i)
    CHECK(weights[i] == doctest::Approx(expected[i]).epsilon(1e-2));
}

TEST_CASE("a restarted server goes on with the round it had and loses no acknowledged update (I3)") {
  TestServer server(two_of_two());
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  ready(a, server.port(), 1);
  ready(b, server.port(), 1);
  a.expect<wire::WorkOffer>();
  const std::uint64_t seed = b.expect<wire::WorkOffer>().seed();
  CHECK(a.upload({}).outcome() == wire::Outcome::accepted);
  server.stop();
  server.start();
  a.connect(server.port());
  a.subscribe(1);
  a.expect<wire::Subscribed>();
  CHECK(a.upload({}).outcome() == wire::Outcome::already_accepted);
  ready(b, server.port(), 1);
  const auto& again = b.expect<wire::WorkOffer>();
  CHECK(again.round() == 1);
  CHECK(again.seed() == seed);
  CHECK(b.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(b.expect<wire::VersionNotice>().version() == 2);
  CHECK(server.weights(2) == std::vector<float>{1.5F, 2.5F, 3.5F, 4.5F});
  CHECK(server.rounds().size() == 1);
}

TEST_CASE("a round waits no longer for a device that declines its work and the operator sees why") {
  RoundPlan plan = two_of_two();
  plan.minimum = 1;
  TestServer server(plan);
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  begin_round(server, a, b);
  a.decline(2, "of another round, which is ignored");
  a.decline(1, "no room\nleft \xff");
  a.decline(1, "a second time, which is ignored");
  CHECK(b.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(b.expect<wire::VersionNotice>().version() == 2);
  for (const server::ParticipantRecord& device : server.participants(1)) {
    if (device.device != a.id()) continue;
    CHECK(device.state == server::ParticipantState::declined);
    CHECK(device.reason == "the device declined: no room left ?");
  }
  CHECK(a.upload({}).outcome() == wire::Outcome::round_closed);
}

TEST_CASE("what a strategy carries from round to round survives a restart") {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  plan.strategy = "fedavgm";
  plan.server_momentum = 0.5;
  TestServer server(plan);
  ScriptedDevice device(server.token());
  ready(device, server.port(), 1);
  device.expect<wire::WorkOffer>();
  CHECK(device.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(device.expect<wire::VersionNotice>().version() == 2);
  server.stop();
  server.start();
  ready(device, server.port(), 2);
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
    ready(b, server.port(), 1);
    b.expect<wire::WorkOffer>();
    CHECK(b.upload({}).outcome() == wire::Outcome::accepted);
    ready(a, server.port(), 1);
    ready(b, server.port(), 1);
    CHECK(a.expect<wire::WorkOffer>().round() == 2);
    const std::vector<server::RoundRecord> rounds = server.rounds();
    REQUIRE(rounds.size() == 2);
    CHECK(rounds[0].state == server::RoundState::abandoned);
    CHECK(rounds[0].reason.find("acknowledged updates cannot be read any more") == 0);
  }
}

TEST_CASE("an upload that was cut off goes on where it was") {
  TestServer server(two_of_two());
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  ready(a, server.port(), 1);
  ready(b, server.port(), 1);
  a.expect<wire::WorkOffer>();
  ScriptedDevice::Update update;
  a.announce(update);
  CHECK(a.expect<wire::UpdateGo>().offset() == 0);
  a.send_chunk(fl::as_bytes(std::span<const float>(update.delta)).first(7));
  a.disconnect();
  server.await_figure(R"(fl_subscribed_devices{task="tiny"})", 1);
  a.connect(server.port());
  a.subscribe(1);
  a.expect<wire::Subscribed>();
  a.announce(update);
  CHECK(a.expect<wire::UpdateGo>().offset() == 7);
  a.send_chunk(fl::as_bytes(std::span<const float>(update.delta)).subspan(7));
  CHECK(a.expect<wire::UpdateReply>().outcome() == wire::Outcome::accepted);
}

TEST_CASE("a device that was away gets the newest version and a newcomer works in the next round") {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  TestServer server(plan);
  ScriptedDevice worker(server.token());
  worker.connect(server.port());
  worker.subscribe(1);
  worker.expect<wire::Subscribed>();
  for (std::uint64_t round = 1; round <= 3; ++round) {
    worker.ask_for_work(round);
    CHECK(worker.expect<wire::WorkOffer>().round() == round);
    ScriptedDevice::Update update;
    update.round = round;
    update.version = round;
    CHECK(worker.upload(update).outcome() == wire::Outcome::accepted);
    CHECK(worker.expect<wire::VersionNotice>().version() == round + 1);
  }
  ScriptedDevice newcomer(server.token());
  newcomer.connect(server.port());
  newcomer.subscribe(0);
  CHECK(newcomer.expect<wire::VersionNotice>().version() == 4);
  newcomer.ask_for_work(4);
  CHECK(newcomer.expect<wire::WorkOffer>().round() == 4);
}

TEST_CASE("a device that asks while its round is being aggregated gets work in the next one") {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  plan.rounds = 2;
  TestServer server(plan);
  ScriptedDevice device(server.token());
  ready(device, server.port(), 1);
  device.expect<wire::WorkOffer>();
  CHECK(device.upload({}).outcome() == wire::Outcome::accepted);
  device.ask_for_work(1);
  CHECK(device.expect<wire::WorkOffer>().round() == 2);
  ScriptedDevice::Update second;
  second.round = 2;
  second.version = 2;
  CHECK(device.upload(second).outcome() == wire::Outcome::accepted);
  device.ask_for_work(2);
  CHECK(wire::text_of(device.expect<wire::WorkLater>().reason()) == "the task has made all of its rounds");
}

TEST_CASE("a task rests after its last round") {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  plan.rounds = 1;
  TestServer server(plan);
  ScriptedDevice device(server.token());
  ready(device, server.port(), 1);
  device.expect<wire::WorkOffer>();
  device.upload({});
  device.expect<wire::VersionNotice>();
  device.ask_for_work(2);
  CHECK(wire::text_of(device.expect<wire::WorkLater>().reason()) == "the task has made all of its rounds");
}

TEST_CASE("a task makes all of its rounds though versions were published again") {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  plan.rounds = 2;
  TestServer server(plan);
  ScriptedDevice device(server.token());
  ready(device, server.port(), 1);
  device.expect<wire::WorkOffer>();
  CHECK(device.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(device.expect<wire::VersionNotice>().version() == 2);
  server.stop();
  publish_again(server, 5);
  server.start();
  ready(device, server.port(), 5);
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

TEST_CASE("a device that took part rests for the plan's period also after a restart") {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  plan.over_selection = 1;
  plan.min_period_seconds = 3'600;
  TestServer server(plan);
  ScriptedDevice device(server.token());
  ready(device, server.port(), 1);
  device.expect<wire::WorkOffer>();
  CHECK(device.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(device.expect<wire::VersionNotice>().version() == 2);
  const auto require_rest = [&] {
    const auto& later = device.expect<wire::WorkLater>();
    CHECK(later.firm());
    CHECK(later.retry_after_ms() <= 3'600'000);
    CHECK(later.retry_after_ms() > 3'500'000);
    CHECK(wire::text_of(later.reason()) == "a device takes part once in 3600 s");
  };
  device.ask_for_work(2);
  require_rest();
  server.stop();
  server.start();
  ready(device, server.port(), 2);
  require_rest();
  ScriptedDevice another(server.token());
  ready(another, server.port(), 2);
  CHECK(another.expect<wire::WorkOffer>().round() == 2);
  ScriptedDevice::Update update;
  update.round = update.version = 2;
  CHECK(another.upload(update).outcome() == wire::Outcome::accepted);
  CHECK(device.expect<wire::VersionNotice>().version() == 3);  // at once, though it rests
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
  ready(a, server.port(), 1);
  ready(b, server.port(), 1);
  for (ScriptedDevice* device : {&a, &b}) CHECK(device->expect<wire::WorkOffer>().round() == 2);
  const std::vector<server::RoundRecord> rounds = server.rounds();
  REQUIRE(rounds.size() == 2);
  CHECK(rounds[1].opened - rounds[0].closed >= std::chrono::seconds(2));
}

TEST_CASE("devices that a round ends without are accounted for by what became of them") {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  plan.over_selection = 5;
  TestServer server(plan);
  std::list<ScriptedDevice> devices;
  for (int i = 0; i < 5; ++i) devices.emplace_back(server.token());
  auto next = devices.begin();
  ScriptedDevice& good = *next++;
  ScriptedDevice& bad = *next++;
  ScriptedDevice& unwilling = *next++;
  ScriptedDevice& gone = *next++;
  ScriptedDevice& slow = *next++;
  for (ScriptedDevice& device : devices) {
    device.connect(server.port());
    device.subscribe(1);
    device.expect<wire::Subscribed>();
  }
  for (ScriptedDevice& device : devices) device.ask_for_work(1);
  for (ScriptedDevice& device : devices) device.expect<wire::WorkOffer>();
  ScriptedDevice::Update none;
  none.examples = 0;
  CHECK(bad.upload(none).outcome() == wire::Outcome::no_examples);
  unwilling.decline(1, "no power");
  gone.disconnect();
  server.await_figure(R"(fl_subscribed_devices{task="tiny"})", 4);
  server.await_figure(R"(fl_updates_total{outcome="declined",reason="",task="tiny"})", 1);
  CHECK(good.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(slow.upload({}).outcome() == wire::Outcome::round_closed);
  server.await_figure(R"(fl_rounds_total{outcome="committed",task="tiny"})", 1);
  std::map<std::string, server::ParticipantState> states;
  for (const server::ParticipantRecord& device : server.participants(1)) states[device.device] = device.state;
  CHECK(states[good.id()] == server::ParticipantState::accepted);
  CHECK(states[bad.id()] == server::ParticipantState::refused);
  CHECK(states[unwilling.id()] == server::ParticipantState::declined);
  CHECK(states[gone.id()] == server::ParticipantState::dropped);
  CHECK(states[slow.id()] == server::ParticipantState::surplus);
  for (const char* ending : {"accepted", "refused", "declined", "dropped", "surplus"}) {
    CAPTURE(ending);
    CHECK(server.figure("fl_round_devices_total{ending=\"" + std::string(ending) + "\",task=\"tiny\"}") == 1);
  }
  CHECK(server.figure(R"(fl_round_devices_total{ending="late",task="tiny"})") == 0);
}

TEST_CASE("a device that is at work when its round is abandoned was late") {
  RoundPlan plan = two_of_two();
  plan.deadline_seconds = 1;
  TestServer server(plan);
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  begin_round(server, a, b);
  server.await_figure(R"(fl_round_devices_total{ending="late",task="tiny"})", 2);
  for (const server::ParticipantRecord& device : server.participants(1)) {
    CHECK(device.state == server::ParticipantState::late);
  }
}

TEST_CASE("a part is sent from the offset on and only what a subscribed task names") {
  TestServer server(two_of_two());
  ScriptedDevice device(server.token());
  device.connect(server.port());
  const std::vector<float> weights = server.weights(1);
  const Digest hash = sha256(fl::as_bytes(std::span<const float>(weights)));
  const auto fetch = [&](const Digest& part, std::uint64_t offset) {
    device.send(wire::make_message<wire::Fetch>([&](flatbuffers::FlatBufferBuilder& builder) {
      return wire::CreateFetch(builder, wire::field_of(builder, part.bytes), offset);
    }));
  };
  fetch(hash, 0);
  CHECK(device.expect<wire::Refusal>().code() == wire::RefusalCode::not_found);
  device.subscribe(1);
  device.expect<wire::Subscribed>();
  fetch(sha256(as_bytes("something else")), 0);
  CHECK(device.expect<wire::Refusal>().code() == wire::RefusalCode::not_found);
  fetch(hash, 17);
  CHECK(device.expect<wire::Refusal>().code() == wire::RefusalCode::not_found);
  fetch(hash, 16);
  CHECK(device.expect<wire::Transfer>().length() == 16);
  device.subscribe(1);
  device.expect<wire::Subscribed>();
}

TEST_CASE("a device that is connected hears of a task that is added") {
  TestServer server(two_of_two());
  ScriptedDevice device(server.token());
  device.connect(server.port());
  server.add_task("another");
  CHECK(wire::text_of(device.expect<wire::TaskNotice>().task()) == "another");
}

TEST_CASE("a server whose newest version is not whole on the disk does not start (I9)") {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  plan.strategy = "fedavgm";
  TestServer server(plan);
  const std::set<std::filesystem::path> first = blobs_of(server);
  ScriptedDevice device(server.token());
  ready(device, server.port(), 1);
  device.expect<wire::WorkOffer>();
  CHECK(device.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(device.expect<wire::VersionNotice>().version() == 2);
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

TEST_CASE("a drained server lets its devices go and takes no new ones") {
  TestServer server(two_of_two());
  ScriptedDevice device(server.token());
  ready(device, server.port(), 1);
  server.drain();
  CHECK_THROWS_AS(device.receive(), Error);
  CHECK_THROWS_AS(device.connect(server.port()), Error);
}
