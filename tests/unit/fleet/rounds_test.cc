#include <algorithm>
#include <atomic>
#include <list>
#include <map>
#include <thread>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/fleet/first_round.h"

using namespace fl;
using namespace fl::test;

TEST_CASE("two devices make a round and both are pushed the exact mean") {
  TestServer server(two_of_two());
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  a.come_for_work(server.port(), 1);
  b.come_for_work(server.port(), 1);
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
  for (int i = 0; i < 12; ++i) devices.emplace_back(server.token()).come_for_work(server.port(), 1);
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
  a.come_for_work(server.port(), 1);
  b.come_for_work(server.port(), 1);
  CHECK(a.expect<wire::WorkOffer>().encoding() == wire::Encoding::int8);
  b.expect<wire::WorkOffer>();
  ScriptedDevice::Update update;
  update.delta = {1.27F, -0.01F, 0.5F, 0};
  update.encoding = Encoding::int8;
  CHECK(a.upload(update).outcome() == wire::Outcome::accepted);
  server.stop();
  server.start();
  b.come_for_work(server.port(), 1);
  b.expect<wire::WorkOffer>();
  CHECK(b.upload({}).outcome() == wire::Outcome::accepted);  // fp32 is always taken
  CHECK(b.expect<wire::VersionNotice>().version() == 2);
  // The largest element is 127 steps of 0.01, so that each of these is a whole number of them.
  const std::vector<float> weights = server.weights(2);
  const std::vector<double> expected = {1 + 0.885, 2 + 0.245, 3 + 0.5, 4 + 0.25};
  for (std::size_t i = 0; i < weights.size(); ++i)
    CHECK(weights[i] == doctest::Approx(expected[i]).epsilon(1e-2));
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

TEST_CASE("an upload that was cut off goes on where it was") {
  TestServer server(two_of_two());
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  a.come_for_work(server.port(), 1);
  b.come_for_work(server.port(), 1);
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
  device.come_for_work(server.port(), 1);
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
  device.come_for_work(server.port(), 1);
  device.expect<wire::WorkOffer>();
  device.upload({});
  device.expect<wire::VersionNotice>();
  device.ask_for_work(2);
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
  make_second_version(server, device);
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
  device.come_for_work(server.port(), 2);
  require_rest();
  ScriptedDevice another(server.token());
  another.come_for_work(server.port(), 2);
  CHECK(another.expect<wire::WorkOffer>().round() == 2);
  ScriptedDevice::Update update;
  update.round = update.version = 2;
  CHECK(another.upload(update).outcome() == wire::Outcome::accepted);
  CHECK(device.expect<wire::VersionNotice>().version() == 3);  // at once, though it rests
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

TEST_CASE("a drained server lets its devices go and takes no new ones") {
  TestServer server(two_of_two());
  ScriptedDevice device(server.token());
  device.come_for_work(server.port(), 1);
  server.drain();
  CHECK_THROWS_AS(device.receive(), Error);
  CHECK_THROWS_AS(device.connect(server.port()), Error);
}
