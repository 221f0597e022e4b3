#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

using namespace fl;
using namespace fl::test;

namespace {

/// A server whose round 1 waits for updates of two devices.
struct OpenRound {
  explicit OpenRound(const RoundPlan& chosen = plan())
      : server(chosen), device(server.token()), other(server.token()) {
    for (ScriptedDevice* one : {&device, &other}) {
      one->come_for_work(server.port(), 1);
    }
    device.expect<wire::WorkOffer>();
    other.expect<wire::WorkOffer>();
  }

  static RoundPlan plan() {
    RoundPlan plan;
    plan.goal = 2;
    plan.minimum = 1;
    plan.max_examples = 100;
    plan.max_delta = 2.0;
    return plan;
  }

  TestServer server;
  ScriptedDevice device;
  ScriptedDevice other;
};

}  // namespace

TEST_CASE("an update of another round or version is refused and the round waits on for the right one (I9)") {
  OpenRound round;
  ScriptedDevice::Update update;
  update.round = 2;
  CHECK(round.device.upload(update).outcome() == wire::Outcome::round_closed);
  update = {};
  update.version = 7;
  CHECK(round.device.upload(update).outcome() == wire::Outcome::stale_version);
  update = {};
  update.examples = 100;
  CHECK(round.device.upload(update).outcome() == wire::Outcome::accepted);
}

TEST_CASE("a device that missed the answer learns that its update counts though the round is over (I3)") {
  OpenRound round;
  CHECK(round.device.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(round.other.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(round.other.expect<wire::VersionNotice>().version() == 2);
  CHECK(round.device.upload({}).outcome() == wire::Outcome::already_accepted);
  ScriptedDevice::Update another;
  another.delta[0] = 0.25F;
  CHECK(round.device.upload(another).outcome() == wire::Outcome::round_closed);
}

TEST_CASE("a device that three times sends something else than it announced has no part in the round (I8)") {
  OpenRound round;
  ScriptedDevice::Update update;
  update.hash = sha256(as_bytes("something else"));
  for (int i = 0; i < 3; ++i) CHECK(round.device.upload(update).outcome() == wire::Outcome::wrong_hash);
  CHECK(round.device.upload({}).outcome() == wire::Outcome::not_selected);
  CHECK(round.other.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(round.other.expect<wire::VersionNotice>().version() == 2);
}

TEST_CASE("a round waits no longer for a device whose update is refused for what will not change (I9)") {
  ScriptedDevice::Update update;
  wire::Outcome expected{};
  std::string sentence;
  SUBCASE("another layout") {
    update.layout_hash = sha256(as_bytes("another layout"));
    expected = wire::Outcome::wrong_layout;
    sentence = "the layout is not the task's";
  }
  SUBCASE("another length") {
    update.delta.push_back(1.0F);
    expected = wire::Outcome::wrong_length;
    sentence = "a delta of this task has 16 bytes as fp32";
  }
  SUBCASE("an encoding that was not offered") {
    update.encoding = Encoding::int8;
    expected = wire::Outcome::wrong_encoding;
    sentence = "updates of this task are not encoded as int8";
  }
  SUBCASE("an encoding that the server does not know") {
    update.encoding = static_cast<Encoding>(3);
    update.length = 16;
    expected = wire::Outcome::wrong_encoding;
    sentence = "this server does not know the update's encoding";
  }
  SUBCASE("too many examples") {
    update.examples = 101;
    expected = wire::Outcome::too_many_examples;
    sentence = "an update counts for at most 100 examples";
  }
  SUBCASE("no examples") {
    update.examples = 0;
    expected = wire::Outcome::no_examples;
    sentence = "an update counts for at least one example";
  }
  OpenRound round;
  CHECK(round.device.upload(update).outcome() == expected);
  CHECK(round.device.upload({}).outcome() == wire::Outcome::not_selected);
  // The plan's deadline is ten minutes away, and the goal is two.
  CHECK(round.other.upload({}).outcome() == wire::Outcome::accepted);
  CHECK(round.other.expect<wire::VersionNotice>().version() == 2);
  for (const server::ParticipantRecord& record : round.server.participants(1)) {
    if (record.device != round.device.id()) continue;
    CHECK(record.state == server::ParticipantState::refused);
    CHECK(record.reason == sentence);
  }
}

TEST_CASE("bytes that do not hash to what was announced may be sent again") {
  OpenRound round;
  ScriptedDevice::Update update;
  update.hash = sha256(as_bytes("other bytes"));
  CHECK(round.device.upload(update).outcome() == wire::Outcome::wrong_hash);
  update.hash.reset();
  CHECK(round.device.upload(update).outcome() == wire::Outcome::accepted);
}

TEST_CASE("an upload that goes on after its round has closed is told so and leaves nothing on the disk") {
  RoundPlan plan = OpenRound::plan();
  plan.goal = 1;
  plan.over_selection = 2;
  OpenRound round(plan);
  const std::vector<float> delta = ScriptedDevice::Update().delta;
  const ByteView bytes = as_bytes(std::span<const float>(delta));
  round.device.announce({});
  round.device.expect<wire::UpdateGo>();
  round.device.send_chunk(bytes.first(7));
  const auto close_round = [&] {
    CHECK(round.other.upload({}).outcome() == wire::Outcome::accepted);
    CHECK(round.other.expect<wire::VersionNotice>().version() == 2);
  };
  SUBCASE("on the same connection") {
    close_round();
    round.device.send_chunk(bytes.subspan(7));
    CHECK(round.device.expect<wire::UpdateReply>().outcome() == wire::Outcome::round_closed);
  }
  SUBCASE("on another connection") {
    round.device.disconnect();
    close_round();
    round.device.connect(round.server.port());
    round.device.subscribe(2);
    round.device.expect<wire::Subscribed>();
    CHECK(round.device.upload({}).outcome() == wire::Outcome::round_closed);
  }
  CHECK_FALSE(std::filesystem::exists(round.server.home() / "spool" / "tiny" / "1"));
  CHECK(round.server.weights(2) == std::vector<float>{1.5F, 2.5F, 3.5F, 4.5F});
}

TEST_CASE(
    "a device that comes by another connection goes on with the update that the broken one holds (I3)") {
  OpenRound round;
  const std::vector<float> delta = ScriptedDevice::Update().delta;
  const ByteView bytes = as_bytes(std::span<const float>(delta));
  round.device.announce({});
  round.device.expect<wire::UpdateGo>();
  round.device.send_chunk(bytes.first(7));
  round.server.await_figure("fl_transfer_bytes_total{direction=\"received\",encoding=\"fp32\",task=\"tiny\"}",
                            7);

  ScriptedDevice twin = round.device.twin();
  twin.connect(round.server.port());
  twin.subscribe(1);
  twin.expect<wire::Subscribed>();
  twin.announce({});
  CHECK(twin.expect<wire::UpdateGo>().offset() == 7);
  twin.send_chunk(bytes.subspan(7));
  CHECK(twin.expect<wire::UpdateReply>().outcome() == wire::Outcome::accepted);
  CHECK_THROWS_AS(round.device.receive(), Error);
  CHECK(round.server.participants(1).size() == 2);
}

TEST_CASE("what a cut upload left and the disk has changed since is refused by its hash and sent anew (I3)") {
  OpenRound round;
  const std::vector<float> delta = ScriptedDevice::Update().delta;
  const ByteView bytes = as_bytes(std::span<const float>(delta));
  round.device.announce({});
  round.device.expect<wire::UpdateGo>();
  round.device.send_chunk(bytes.first(7));
  round.server.await_figure("fl_transfer_bytes_total{direction=\"received\",encoding=\"fp32\",task=\"tiny\"}",
                            7);
  round.device.disconnect();
  for (const auto& part : std::filesystem::directory_iterator(round.server.home() / "spool" / "tiny" / "1")) {
    std::fstream(part.path(), std::ios::in | std::ios::out | std::ios::binary) << "x";
  }
  round.device.connect(round.server.port());
  round.device.subscribe(1);
  round.device.expect<wire::Subscribed>();
  round.device.announce({});
  CHECK(round.device.expect<wire::UpdateGo>().offset() == 7);
  round.device.send_chunk(bytes.subspan(7));
  CHECK(round.device.expect<wire::UpdateReply>().outcome() == wire::Outcome::wrong_hash);
  CHECK(round.device.upload({}).outcome() == wire::Outcome::accepted);
}

TEST_CASE("a delta with NaN or infinity or above the cap does not count and the round goes on without it") {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 2.5F}) {
    OpenRound round;
    ScriptedDevice::Update update;
    update.delta[2] = bad;
    const wire::Outcome expected = bad == 2.5F ? wire::Outcome::delta_too_large : wire::Outcome::not_finite;
    const auto& reply = round.device.upload(update);
    CHECK(reply.outcome() == expected);
    CHECK(wire::text_of(reply.sentence()).find("element 2 of the delta is ") == 0);
    CHECK(round.device.upload({}).outcome() == wire::Outcome::not_selected);
    CHECK(round.other.upload({}).outcome() == wire::Outcome::accepted);
    CHECK(round.other.expect<wire::VersionNotice>().version() == 2);
    CHECK(round.server.weights(2) == std::vector<float>{1.5F, 2.5F, 3.5F, 4.5F});
  }
}

TEST_CASE("a device outside the cohort cannot put an update in") {
  OpenRound round;
  ScriptedDevice stranger(round.server.token());
  stranger.connect(round.server.port());
  stranger.subscribe(1);
  stranger.expect<wire::Subscribed>();
  CHECK(stranger.upload({}).outcome() == wire::Outcome::not_selected);
}

TEST_CASE("a message that does not verify ends the connection with a reason (I8)") {
  OpenRound round;
  flatbuffers::FlatBufferBuilder junk;
  junk.Finish(junk.CreateString("no message at all"));
  round.device.send(junk.Release());
  const auto& refusal = round.device.expect<wire::Refusal>();
  CHECK(refusal.code() == wire::RefusalCode::malformed);
  CHECK(refusal.closes());
  CHECK(wire::text_of(refusal.sentence()).find("does not verify") != std::string::npos);
  CHECK_THROWS_AS(round.device.receive(), Error);
}

TEST_CASE("a message that is not expected ends the connection with a reason (I8)") {
  OpenRound round;
  round.device.send(wire::make_message<wire::UpdateGo>(
      [](flatbuffers::FlatBufferBuilder& builder) { return wire::CreateUpdateGo(builder, 0); }));
  const auto& refusal = round.device.expect<wire::Refusal>();
  CHECK(refusal.code() == wire::RefusalCode::unexpected);
  CHECK(wire::text_of(refusal.sentence()) == "UpdateGo is not expected here");
  CHECK_THROWS_AS(round.device.receive(), Error);
}

TEST_CASE("a chunk that nobody asked for ends the connection (I8)") {
  OpenRound round;
  round.device.send_chunk(as_bytes("bytes"));
  CHECK(round.device.expect<wire::Refusal>().code() == wire::RefusalCode::malformed);
  CHECK_THROWS_AS(round.device.receive(), Error);
  CHECK(round.other.upload({}).outcome() == wire::Outcome::accepted);
}

TEST_CASE("more bytes than were announced end the connection (I8)") {
  OpenRound round;
  round.device.announce({});
  round.device.expect<wire::UpdateGo>();
  round.device.send_chunk(Bytes(17));
  CHECK(round.device.expect<wire::Refusal>().code() == wire::RefusalCode::unexpected);
}

TEST_CASE("figures that cannot be are not believed and spoil no mean (I8)") {
  OpenRound round;
  const std::vector<float> delta(4, 0.5F);
  const ByteView bytes = as_bytes(std::span<const float>(delta));
  round.device.send(wire::make_message<wire::UpdateAnnounce>([&](flatbuffers::FlatBufferBuilder& builder) {
    const auto task = builder.CreateString("tiny");
    const auto layout = wire::field_of(builder, tiny_layout().hash().bytes);
    const auto hash = wire::field_of(builder, sha256(bytes).bytes);
    return wire::CreateUpdateAnnounce(builder, task, 1, 1, layout, hash, bytes.size(), 10, 1, 1e308,
                                      4'294'967'295, -1e308, 1e300);
  }));
  round.device.expect<wire::UpdateGo>();
  round.device.send_chunk(bytes);
  CHECK(round.device.expect<wire::UpdateReply>().outcome() == wire::Outcome::accepted);
  for (const server::ParticipantRecord& record : round.server.participants(1)) {
    if (record.device != round.device.id()) continue;
    CHECK(std::isnan(record.train_loss));
    CHECK(std::isnan(record.test_loss));
    CHECK(record.test_accuracy == -1.0);
    CHECK(record.test_examples == 100);
  }
}

TEST_CASE("a conversation that does not begin with Hello is ended") {
  TestServer server{RoundPlan()};
  ScriptedDevice device(server.token());
  device.connect(server.port(), false);
  device.subscribe();
  CHECK(device.expect<wire::Refusal>().code() == wire::RefusalCode::unexpected);
}

TEST_CASE("a device that speaks only later versions of the protocol is told which are spoken here") {
  TestServer server{RoundPlan()};
  ScriptedDevice device(server.token());
  device.connect(server.port(), false);
  device.send(wire::make_message<wire::Hello>(
      [](flatbuffers::FlatBufferBuilder& builder) { return wire::CreateHello(builder, 900, 901); }));
  const auto& refusal = device.expect<wire::Refusal>();
  CHECK(refusal.code() == wire::RefusalCode::version);
  CHECK(wire::text_of(refusal.sentence()).find("this server speaks protocol versions 1 to 1") == 0);
}
