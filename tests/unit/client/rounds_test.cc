// A device's conversation with a scripted server, over real TLS on loopback.

#include <atomic>
#include <cstring>
#include <latch>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "protocol/limits.h"
#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/test_device.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using Kind = AgentEvent::Kind;

namespace {

Digest digest_in(const flatbuffers::Vector<std::uint8_t>* field) {
  return Digest::from_bytes(wire::bytes_of(field));
}

/// The delta that training on this device's examples from the version must give.
Weights expected_delta(const TestDevice& device, const PublishedVersion& version, std::uint32_t epochs) {
  LinearEngine engine;
  const auto model = engine.open(version.archive, version.manifest.contract);
  std::copy(version.weights.begin(), version.weights.end(), model->weights().begin());
  TrainingPlan plan;
  plan.learning_rate = 0.1;
  plan.epochs = epochs;
  model->train(device.examples.load("har", Side::training), plan, {1, 7},
               [](const TrainingProgress&) { return true; });
  Weights delta(version.weights.size());
  for (std::size_t i = 0; i < delta.size(); ++i) delta[i] = model->weights()[i] - version.weights[i];
  return delta;
}

}  // namespace

TEST_CASE("a new device fetches the version and trains and reports exactly what it learned") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  Bytes delta;
  Received announced;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      CHECK(peer.connection().peer_certificate()->common_name() == "device-1");
                      co_await peer.bring(first);
                      const Received request = co_await peer.expect<wire::WorkRequest>();
                      CHECK(request.as<wire::WorkRequest>().version() == 1);
                      const ScriptedOffer work{};
                      co_await peer.offer(work);
                      announced = co_await peer.expect<wire::UpdateAnnounce>();
                      co_await peer.go();
                      delta = co_await peer.receive(announced.as<wire::UpdateAnnounce>().length());
                      co_await peer.reply(wire::Outcome::accepted);
                      co_await peer.expect<wire::WorkRequest>();
                      co_await peer.later("har", 60'000);
                      co_await peer.notice(second);
                      co_await peer.serve(second, 1);  // the archive is there already
                      const Received again = co_await peer.expect<wire::WorkRequest>();
                      CHECK(again.as<wire::WorkRequest>().version() == 2);
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(30);
  const std::uint64_t training = device.examples.count("har", Side::training);
  const Weights expected = expected_delta(device, first, 2);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  agent.stop();
  const auto& announce = announced.as<wire::UpdateAnnounce>();
  CHECK(announce.round() == 1);
  CHECK(announce.version() == 1);
  CHECK(announce.examples() == training);
  CHECK(announce.steps() == 2);
  CHECK(announce.test_examples() == device.examples.count("har", Side::held_out));
  CHECK(digest_in(announce.hash()) == sha256(delta));
  CHECK(digest_in(announce.layout_hash()) == first.manifest.layout_hash);
  REQUIRE(delta.size() == expected.size() * sizeof(float));
  CHECK(std::memcmp(delta.data(), expected.data(), delta.size()) == 0);
  CHECK(device.serving() == 2);
}

TEST_CASE("an update travels in the encoding that was offered") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  Bytes bytes;
  Received announced;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      co_await peer.expect<wire::WorkRequest>();
                      const ScriptedOffer work{.encoding = wire::Encoding::int8};
                      co_await peer.offer(work);
                      announced = co_await peer.expect<wire::UpdateAnnounce>();
                      co_await peer.go();
                      bytes = co_await peer.receive(announced.as<wire::UpdateAnnounce>().length());
                      co_await peer.reply(wire::Outcome::accepted);
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(30);
  const Weights expected = expected_delta(device, version, 2);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  agent.stop();
  const auto& announce = announced.as<wire::UpdateAnnounce>();
  CHECK(announce.encoding() == wire::Encoding::int8);
  CHECK(digest_in(announce.hash()) == sha256(bytes));
  REQUIRE(bytes.size() == encoded_bytes(Encoding::int8, expected.size()));
  std::vector<float> received(expected.size());
  decode(Encoding::int8, bytes, received);
  float largest = 0;
  for (const float value : expected) largest = std::max(largest, std::abs(value));
  REQUIRE(largest > 0);
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(std::abs(received[i] - expected[i]) <= largest / 127);
}

TEST_CASE("a device that may count fewer examples than it has trains on so many") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  Received announced;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      co_await peer.expect<wire::WorkRequest>();
                      const ScriptedOffer work{.max_examples = 5};
                      co_await peer.offer(work);
                      announced = co_await peer.expect<wire::UpdateAnnounce>();
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(30);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  CHECK(announced.as<wire::UpdateAnnounce>().examples() == 5);
}

TEST_CASE("a notice between the chunks of a transfer is kept and followed") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.welcome();
                      co_await peer.expect<wire::Subscribe>();
                      co_await peer.notice(first);
                      co_await peer.serve(first, 1);
                      const Received received = co_await peer.expect<wire::Fetch>();
                      const ByteView part = as_bytes(std::span<const float>(first.weights));
                      auto transfer =
                          wire::make_message<wire::Transfer>([&](flatbuffers::FlatBufferBuilder& builder) {
                            return wire::CreateTransfer(builder, part.size(), 0);
                          });
                      co_await peer.send(std::move(transfer));
                      co_await peer.send_chunk(part.first(5));
                      co_await peer.keep_alive();
                      co_await peer.notice(second);
                      co_await peer.send_chunk(part.subspan(5, 1));
                      co_await peer.keep_alive();
                      co_await peer.send_chunk(part.subspan(6));
                      co_await peer.serve(second, 1);
                      const Received request = co_await peer.expect<wire::WorkRequest>();
                      CHECK(request.as<wire::WorkRequest>().version() == 2);
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(30);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  agent.stop();
  CHECK(device.serving() == 2);
}

TEST_CASE("an offer of a version that was pushed just before is trained from once it is there") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  Received announced;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(first);
                      co_await peer.expect<wire::WorkRequest>();
                      co_await peer.notice(second);
                      const ScriptedOffer work{.round = 2, .version = 2};
                      co_await peer.offer(work);
                      co_await peer.serve(second, 1);
                      announced = co_await peer.expect<wire::UpdateAnnounce>();
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(30);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  CHECK(announced.as<wire::UpdateAnnounce>().version() == 2);
  CHECK(announced.as<wire::UpdateAnnounce>().round() == 2);
}

TEST_CASE("a finished update is announced again after the connection was lost and goes on at an offset") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  Received first_time;
  Received second_time;
  Bytes rest;
  FakeServer server(federation,
                    {[&](Peer& peer) -> Task<> {
                       co_await peer.bring(version);
                       co_await peer.expect<wire::WorkRequest>();
                       const ScriptedOffer work{};
                       co_await peer.offer(work);
                       first_time = co_await peer.expect<wire::UpdateAnnounce>();
                       peer.close();
                     },
                     [&](Peer& peer) -> Task<> {
                       co_await peer.welcome();
                       const Received subscribe = co_await peer.expect<wire::Subscribe>();
                       CHECK(subscribe.as<wire::Subscribe>().held_version() == 1);
                       co_await peer.subscribed("har", 1);
                       second_time = co_await peer.expect<wire::UpdateAnnounce>();
                       co_await peer.go(8);
                       rest = co_await peer.receive(second_time.as<wire::UpdateAnnounce>().length() - 8);
                       co_await peer.reply(wire::Outcome::accepted);
                       co_await peer.expect<wire::WorkRequest>();
                     }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(30);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  const auto& one = first_time.as<wire::UpdateAnnounce>();
  const auto& two = second_time.as<wire::UpdateAnnounce>();
  CHECK(digest_in(one.hash()) == digest_in(two.hash()));
  CHECK(one.round() == two.round());
  const Weights delta = expected_delta(device, version, 2);
  CHECK(std::memcmp(rest.data(), reinterpret_cast<const std::byte*>(delta.data()) + 8, rest.size()) == 0);
}

TEST_CASE("training goes on while the connection is lost and its update is announced on the next one") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  std::latch training(1);
  std::latch connected_again(1);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                                   co_await peer.bring(version);
                                   co_await peer.expect<wire::WorkRequest>();
                                   const ScriptedOffer work{};
                                   co_await peer.offer(work);
                                   training.wait();
                                   peer.close();
                                 },
                                 [&](Peer& peer) -> Task<> {
                                   co_await peer.welcome();
                                   co_await peer.expect<wire::Subscribe>();
                                   co_await peer.subscribed("har", 1);
                                   connected_again.count_down();
                                   co_await peer.take_update(wire::Outcome::accepted);
                                 }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(30);
  device.engine->on_step = [&](std::uint64_t step) {
    if (step == 1) training.count_down();
    connected_again.wait();
  };
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::update_accepted);
}

TEST_CASE("a device that is told to come later asks again after that time") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      for (int i = 0; i < 3; ++i) {
                        co_await peer.expect<wire::WorkRequest>();
                        co_await peer.later("har", 1);
                      }
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(10);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  CHECK(device.events.wait_for(Kind::waiting, 3).find("the round is full") != std::string::npos);
}

TEST_CASE("a device without examples receives versions and asks for no work until it has some") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(first);
                      co_await peer.notice(second);
                      co_await peer.serve(second, 1);
                      const Received request = co_await peer.expect<wire::WorkRequest>();
                      CHECK(request.as<wire::WorkRequest>().examples() > 0);
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), true);
  agent.start();
  device.events.wait_for(Kind::version_adopted, 2);
  device.add_examples(10);
  agent.wake();
  server.finish();
}

TEST_CASE("a device that does not train asks for no work") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(first);
                      co_await peer.notice(second);
                      co_await peer.serve(second, 1);
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(10);
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted, 2);
}

TEST_CASE("a work request may wait long while the server keeps the connection alive") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      co_await peer.expect<wire::WorkRequest>();
                      for (int i = 0; i < 20; ++i) co_await peer.keep_alive();
                      const ScriptedOffer work{};
                      co_await peer.offer(work);
                      co_await peer.take_update(wire::Outcome::already_accepted);
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(10);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::update_accepted);
}
