// Rounds of a strategy whose updates carry the change of the devices' control variates behind their delta.

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

using namespace fl;
using namespace fl::test;

namespace {

RoundPlan scaffold_of_two() {
  RoundPlan plan;
  plan.strategy = "scaffold";
  plan.server_population = 4;
  plan.server_max_control = 100.0;
  return plan;
}

/// Of a model of four elements: the delta and, behind it, the control variate's change.
ScriptedDevice::Update update_of(float delta, float change, std::uint64_t round = 1) {
  ScriptedDevice::Update update;
  update.round = update.version = round;
  update.delta = {delta, delta, delta, delta, change, change, change, change};
  return update;
}

/// Two devices have made version 2 and what the server's control variate is then.
struct OneRound {
  OneRound() : server(scaffold_of_two()) {
    a.come_for_work(server.port(), 1);
    b.come_for_work(server.port(), 1);
    const auto& offer = a.expect<wire::WorkOffer>();
    CHECK(offer.control_elements() == 4);
    CHECK(offer.control() == nullptr);
    CHECK(offer.max_control() == 100.0F);
    b.expect<wire::WorkOffer>();
    CHECK(a.upload(update_of(1.0F, 30.0F)).outcome() == wire::Outcome::accepted);
    CHECK(b.upload(update_of(2.0F, 10.0F)).outcome() == wire::Outcome::accepted);
    CHECK(a.expect<wire::VersionNotice>().version() == 2);
  }

  TestServer server;
  ScriptedDevice a{server.token()};
  ScriptedDevice b{server.token()};
};

}  // namespace

TEST_CASE("a round of SCAFFOLD moves the model by the plain mean and offers its control to the next") {
  OneRound round;
  // The mean of 1 and 2, whatever their examples.
  CHECK(round.server.weights(2) == std::vector<float>{2.5F, 3.5F, 4.5F, 5.5F});
  round.a.ask_for_work(2);
  round.b.ask_for_work(2);
  const auto& offer = round.a.expect<wire::WorkOffer>();
  REQUIRE(offer.control() != nullptr);
  const ByteView named = wire::bytes_of(offer.control());
  const Bytes hash(named.begin(), named.end());
  const Bytes bytes = round.a.fetch(hash);
  CHECK(sha256(bytes) == Digest::from_bytes(hash));
  // (30 + 10) / 4 devices.
  CHECK(weights_from(bytes, 4) == Weights{10.0F, 10.0F, 10.0F, 10.0F});
}

TEST_CASE("a device that missed the answer learns that its change counts though the round is over (I3)") {
  OneRound round;
  CHECK(round.a.upload(update_of(1.0F, 30.0F)).outcome() == wire::Outcome::already_accepted);
  CHECK(round.a.upload(update_of(1.0F, 31.0F)).outcome() == wire::Outcome::round_closed);
  CHECK(round.b.upload(update_of(1.0F, 30.0F)).outcome() == wire::Outcome::round_closed);
}

TEST_CASE("SCAFFOLD's control survives a restart and so does an update with its change (I3)") {
  OneRound round;
  for (ScriptedDevice* device : {&round.a, &round.b}) device->ask_for_work(2);
  for (ScriptedDevice* device : {&round.a, &round.b}) device->expect<wire::WorkOffer>();
  CHECK(round.a.upload(update_of(0.0F, 4.0F, 2)).outcome() == wire::Outcome::accepted);
  round.server.stop();
  round.server.start();
  round.b.come_for_work(round.server.port(), 2);
  CHECK(round.b.expect<wire::WorkOffer>().round() == 2);
  CHECK(round.b.upload(update_of(1.0F, -8.0F, 2)).outcome() == wire::Outcome::accepted);
  CHECK(round.b.expect<wire::VersionNotice>().version() == 3);
  CHECK(round.server.weights(3) == std::vector<float>{3.0F, 4.0F, 5.0F, 6.0F});
  round.a.come_for_work(round.server.port(), 3);
  round.b.ask_for_work(3);
  const auto& offer = round.a.expect<wire::WorkOffer>();
  REQUIRE(offer.control() != nullptr);
  const ByteView named = wire::bytes_of(offer.control());
  const Bytes hash(named.begin(), named.end());
  CHECK(weights_from(round.a.fetch(hash), 4) == Weights{9.0F, 9.0F, 9.0F, 9.0F});  // 10 + (4 − 8) / 4
}

TEST_CASE("an update without its control's change or with too large a one is refused by its reason (I9)") {
  TestServer server(scaffold_of_two());
  ScriptedDevice a(server.token());
  ScriptedDevice b(server.token());
  ScriptedDevice c(server.token());
  for (ScriptedDevice* device : {&a, &b, &c}) device->come_for_work(server.port(), 1);
  for (ScriptedDevice* device : {&a, &b, &c}) device->expect<wire::WorkOffer>();
  ScriptedDevice::Update update;  // of four elements
  const wire::UpdateReply& reply = a.upload(update);
  CHECK(reply.outcome() == wire::Outcome::wrong_length);
  CHECK(wire::text_of(reply.sentence()) == "a delta of this task has 32 bytes as fp32");
  CHECK(c.upload(update_of(17.0F, 0.0F)).outcome() == wire::Outcome::delta_too_large);  // above max_delta
  const wire::UpdateReply& large = b.upload(update_of(1.0F, 101.0F));
  CHECK(large.outcome() == wire::Outcome::delta_too_large);
  CHECK(std::string(wire::text_of(large.sentence())).find("element 4 of the delta is 101") == 0);
}
