// What of a device's examples reaches the server: nothing.

#include <algorithm>

#include <doctest/doctest.h>

#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/test_device.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;

namespace {

constexpr std::chrono::seconds step_limit{20};

/// Serves a version, gives one round's work, and keeps every byte that the device says after Hello.
Task<> hear_all(Peer& peer, const PublishedVersion& version, Bytes& heard) {
  co_await peer.welcome();
  std::uint64_t update_bytes_left = 0;
  for (bool answered = false; !answered;) {
    const wire::Frame frame = co_await peer.connection().read_frame(step_limit);
    heard.insert(heard.end(), frame.payload.begin(), frame.payload.end());
    if (frame.kind == wire::FrameKind::chunk) {
      update_bytes_left -= frame.payload.size();
      answered = update_bytes_left == 0;
      continue;
    }
    const wire::Message& message = *wire::verified_message(frame.payload);
    if (message.body_as_Subscribe() != nullptr) co_await peer.notice(version);
    if (const wire::Fetch* fetch = message.body_as_Fetch()) {
      const ByteView part = part_of(version, Digest::from_bytes(wire::bytes_of(fetch->hash())));
      const std::uint64_t length = part.size();
      auto transfer = wire::make_message<wire::Transfer>([length](flatbuffers::FlatBufferBuilder& builder) {
        return wire::CreateTransfer(builder, length, 0);
      });
      co_await peer.send(std::move(transfer));
      co_await peer.send_chunk(part);
    }
    const ScriptedOffer work{};
    if (message.body_as_WorkRequest() != nullptr) co_await peer.offer(work);
    if (const wire::UpdateAnnounce* announce = message.body_as_UpdateAnnounce()) {
      update_bytes_left = announce->length();
      co_await peer.go();
    }
  }
  co_await peer.reply(wire::Outcome::accepted);
}

bool contains(const Bytes& heard, float value) {
  const ByteView bytes = as_bytes(std::span<const float>(&value, 1));
  return std::search(heard.begin(), heard.end(), bytes.begin(), bytes.end()) != heard.end();
}

}  // namespace

TEST_CASE("nothing that a device sends in a round holds a value of its examples (I1)") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  Bytes heard;
  FakeServer server(federation, {[&](Peer& peer) { return hear_all(peer, version, heard); }});
  TestDevice device(federation, server.endpoint());
  std::vector<Example> examples;
  for (int i = 0; i < 40; ++i) {
    const auto number = static_cast<float>(i);
    examples.push_back(example_of(0.7345678F + number / 97.0F, -0.2345679F - number / 89.0F, i % 3));
  }
  for (const Example& example : examples) device.examples.add("har", example);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  agent.stop();
  REQUIRE(heard.size() > version.weights.size() * sizeof(float));
  for (const Example& example : examples) {
    for (const float value : example.inputs.front().floats()) CHECK(!contains(heard, value));
  }
}
