// What a device makes of the versions, refusals and bytes that a scripted server sends it.

#include <limits>
#include <utility>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "protocol/limits.h"
#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/test_device.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using Kind = AgentEvent::Kind;

TEST_CASE("a manifest that is not signed by the federation is refused and nothing fetched (I6)") {
  const Federation federation;
  const Federation stranger;
  const PublishedVersion forged = stranger.publish("har", 2, 0);
  const PublishedVersion genuine = federation.publish("har", 3, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.welcome();
                      co_await peer.expect<wire::Subscribe>();
                      co_await peer.notice(forged);
                      co_await peer.notice(genuine);
                      co_await peer.serve(genuine, 2);  // throws where the forged one's parts are asked for
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted);
  CHECK(device.serving() == 3);
}

TEST_CASE("an older version than one that was accepted is refused (I6)") {
  const Federation federation;
  const PublishedVersion newer = federation.publish("har", 5, 0);
  PublishedVersion older = federation.publish("har", 4, 1);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(newer);
                      older.manifest.version = 6;  // the notice lies, the signed text does not
                      co_await peer.notice(older);
                      const PublishedVersion next = federation.publish("har", 7, 2);
                      co_await peer.notice(next);
                      co_await peer.serve(next, 1);
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted, 2);
  CHECK(device.serving() == 7);
}

TEST_CASE("a manifest of another version than its notice is refused") {
  const Federation federation;
  PublishedVersion version = federation.publish("har", 2, 0);
  version.manifest.version = 9;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.welcome();
                      co_await peer.expect<wire::Subscribe>();
                      co_await peer.notice(version);
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  CHECK(device.events.wait_for(Kind::version_refused).find("version 2") != std::string::npos);
  server.finish();
}

TEST_CASE("a version that does not open is not adopted and the old one goes on serving") {
  const Federation federation;
  const PublishedVersion good = federation.publish("har", 1, 0);
  const std::string text = "not an archive";
  const ByteView bytes = as_bytes(text);
  const PublishedVersion bad = federation.publish("har", 2, good.weights, Bytes(bytes.begin(), bytes.end()));
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(good);
                      co_await peer.notice(bad);
                      co_await peer.serve(bad, 1);  // the weights are those it has
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  CHECK(device.events.wait_for(Kind::version_refused).find("no archive") != std::string::npos);
  agent.stop();
  CHECK(device.serving() == 1);
  CHECK_FALSE(device.models.find("har")->has_part(bad.manifest.archive_hash));
}

TEST_CASE("a version with a weight that is no number is not adopted") {
  const Federation federation;
  const PublishedVersion good = federation.publish("har", 1, 0);
  Weights weights = good.weights;
  weights[3] = std::numeric_limits<float>::quiet_NaN();
  const PublishedVersion bad = federation.publish("har", 2, weights, good.archive);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(good);
                      co_await peer.notice(bad);
                      co_await peer.serve(bad, 1);
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  CHECK(device.events.wait_for(Kind::version_refused).find("NaN") != std::string::npos);
  agent.stop();
  CHECK(device.serving() == 1);
}

TEST_CASE("a version whose answers are infinite is not adopted, with examples held out or without") {
  const Federation federation;
  const Weights weights(9, 3e38F);
  const PublishedVersion bad = federation.publish("har", 1, weights, federation.publish("har", 1, 0).archive);
  const auto refusal_with = [&](int examples) {
    FakeServer server(federation, {[&](Peer& peer) -> Task<> { co_await peer.bring(bad); }});
    TestDevice device(federation, server.endpoint());
    device.add_examples(examples);
    Agent agent(device.parts(), false);
    agent.start();
    server.finish();
    std::string sentence = device.events.wait_for(Kind::version_refused);
    agent.stop();
    CHECK(device.serving() == 0);
    return sentence;
  };
  CHECK(refusal_with(0).find("its answer to ones is not finite") != std::string::npos);
  CHECK(refusal_with(40).find("on this device's held-out examples its answer") != std::string::npos);
}

TEST_CASE("bytes that are not what the manifest says end the connection and are fetched anew (I8)") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  PublishedVersion tampered = version;
  tampered.weights[0] += 1.0F;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> { co_await peer.bring(tampered); },
                                 [&](Peer& peer) -> Task<> { co_await peer.bring(version, 1); }});
  TestDevice device(federation, server.endpoint());
  BackoffPolicy quick{.first = std::chrono::milliseconds(1)};
  quick.first_long = std::chrono::milliseconds(1);
  AgentParts parts = device.parts();
  parts.backoff = quick;
  Agent agent(parts, false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted);
  CHECK(device.events.wait_for(Kind::disconnected).find("another hash") != std::string::npos);
}

TEST_CASE("a fetch that was cut off goes on at its offset on the next connection") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  const ByteView weights = as_bytes(std::span<const float>(version.weights));
  std::uint64_t offset = 0;
  const auto begin_weights = [&](Peer& peer) -> Task<> {
    const Received received = co_await peer.expect<wire::Fetch>();
    offset = received.as<wire::Fetch>().offset();
    auto transfer = wire::make_message<wire::Transfer>([&](flatbuffers::FlatBufferBuilder& builder) {
      return wire::CreateTransfer(builder, weights.size(), offset);
    });
    co_await peer.send(std::move(transfer));
  };
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                                   co_await peer.bring(version, 1);
                                   co_await begin_weights(peer);
                                   co_await peer.send_chunk(weights.first(10));
                                 },
                                 [&](Peer& peer) -> Task<> {
                                   co_await peer.bring(version, 0);
                                   co_await begin_weights(peer);
                                   co_await peer.send_chunk(weights.subspan(offset));
                                 }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted);
  CHECK(offset == 10);
}

TEST_CASE("a device that was away for many versions fetches only the newest") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion ninth = federation.publish("har", 9, 1);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> { co_await peer.bring(first); },
                                 [&](Peer& peer) -> Task<> { co_await peer.bring(ninth, 1); }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted, 2);
  agent.stop();
  CHECK(device.serving() == 9);
}

TEST_CASE("a version that the server has not any more gives way to the newer one that was announced") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(first, 1);
                      co_await peer.expect<wire::Fetch>();
                      co_await peer.notice(second);
                      co_await peer.refuse(wire::RefusalCode::not_found, false);
                      co_await peer.serve(second, 1);
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted);
  agent.stop();
  CHECK(device.serving() == 2);
}

TEST_CASE("what no server may send ends the connection and the device comes back") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  const auto bulk = as_bytes("bytes");
  std::vector<FakeServer::Script> scripts;
  scripts.emplace_back([&](Peer& peer) -> Task<> {  // no Welcome
    peer.connection().set_limits(limits::message_bytes, 0);
    co_await peer.expect<wire::Hello>();
    co_await peer.subscribed("har", 0);
  });
  scripts.emplace_back([&](Peer& peer) -> Task<> {  // bulk bytes that nobody asked for
    co_await peer.begin(0);
    co_await peer.send_chunk(bulk);
  });
  scripts.emplace_back([&](Peer& peer) -> Task<> {  // an answer that nobody asked for
    co_await peer.begin(0);
    co_await peer.go();
  });
  scripts.emplace_back([&](Peer& peer) -> Task<> {  // a push for a task that there is not
    co_await peer.begin(0);
    co_await peer.later("other", 1);
  });
  scripts.emplace_back([&](Peer& peer) -> Task<> {  // more bytes than the manifest says
    co_await peer.welcome();
    co_await peer.expect<wire::Subscribe>();
    co_await peer.notice(version);
    co_await peer.expect<wire::Fetch>();
    auto transfer = wire::make_message<wire::Transfer>([&](flatbuffers::FlatBufferBuilder& builder) {
      return wire::CreateTransfer(builder, version.archive.size() + 1, 0);
    });
    co_await peer.send(std::move(transfer));
  });
  scripts.emplace_back([&](Peer& peer) -> Task<> { co_await peer.bring(version); });
  FakeServer server(federation, scripts);
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted);
  CHECK(device.events.count(Kind::disconnected) >= 5);
}

TEST_CASE("a device whose certificate is revoked says so and comes back much later") {
  const Federation federation;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      peer.connection().set_limits(limits::message_bytes, 0);
                      co_await peer.expect<wire::Hello>();
                      co_await peer.refuse(wire::RefusalCode::revoked, true);
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  const std::string sentence = device.events.wait_for(Kind::disconnected);
  CHECK(sentence.find("trying again in") != std::string::npos);
  server.finish();
  agent.stop();
  CHECK(device.events.count(Kind::disconnected) == 1);
}

TEST_CASE("a version that could not be tried for want of memory is tried again and not fetched again") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> { co_await peer.bring(version); },
                                 [&](Peer& peer) -> Task<> { co_await peer.bring(version, 0); }});
  TestDevice device(federation, server.endpoint());
  device.engine->on_open = [failed = false]() mutable {
    if (!std::exchange(failed, true)) throw Error(ErrorCode::resource_exhausted, "out of memory");
  };
  AgentParts parts = device.parts();
  parts.backoff.first_long = std::chrono::milliseconds(1);
  Agent agent(parts, false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted);
  const std::string sentence = device.events.wait_for(Kind::disconnected);
  CHECK(sentence.find("version 1 of har could not be tried: out of memory") != std::string::npos);
  CHECK(device.events.count(Kind::version_refused) == 0);
}

TEST_CASE("a version is adopted untested where this device's own examples cannot be read") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> { co_await peer.bring(version); }});
  TestDevice device(federation, server.endpoint());
  std::filesystem::create_directory(device.home.examples_path());
  Agent agent(device.parts(), true);
  agent.start();
  const std::string sentence = device.events.wait_for(Kind::version_adopted);
  CHECK(sentence.find("not tested on the held-out examples: ") != std::string::npos);
  CHECK(sentence.find("examples.db") != std::string::npos);
  CHECK(device.events.wait_for(Kind::trouble).find("examples.db") != std::string::npos);
  CHECK(device.events.count(Kind::version_refused) == 0);
}

TEST_CASE("a version is adopted untested where this device's held-out examples do not fit it") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> { co_await peer.bring(version); }});
  TestDevice device(federation, server.endpoint());
  const float values[] = {0, 1, 2};
  for (int i = 0; i < 20; ++i) {
    Example example = example_of(0, 1, 0);
    example.inputs.front() = make_tensor(std::span<const float>(values), {3});
    example.inputs.front().data[0] = static_cast<std::byte>(i);
    device.examples.add("har", example);
  }
  REQUIRE(device.examples.count("har", Side::held_out) > 0);
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  CHECK(device.events.wait_for(Kind::version_adopted).find("examples: the input does not fit") !=
        std::string::npos);
}

TEST_CASE("a task that is added while a device is connected is followed on the same connection") {
  const Federation federation;
  const PublishedVersion version = federation.publish("other", 1, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.begin(0);
                      co_await peer.task_added("har");  // it has that one
                      co_await peer.task_added("other");
                      const Received received = co_await peer.expect<wire::Subscribe>();
                      CHECK(wire::text_of(received.as<wire::Subscribe>().task()) == "other");
                      co_await peer.notice(version);
                      co_await peer.serve(version, 2);
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted);
  agent.stop();
  CHECK(device.serving("other") == 1);
}

TEST_CASE("of more tasks than a device may follow it follows so many and says so (I8)") {
  const Federation federation;
  std::vector<std::string> tasks;
  for (std::size_t i = 0; i < limits::tasks; ++i) tasks.push_back("task-" + std::to_string(i));
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.welcome_to(tasks);
                      co_await peer.task_added("one-more");
                      for (std::size_t i = 0; i < tasks.size(); ++i) {
                        const Received received = co_await peer.expect<wire::Subscribe>();
                        const std::string task(wire::text_of(received.as<wire::Subscribe>().task()));
                        co_await peer.subscribed(task, 0);
                      }
                      co_await peer.task_added("another");
                      const PublishedVersion version = federation.publish("task-7", 1, 0);
                      co_await peer.notice(version);
                      co_await peer.serve(version, 2);
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted);
  const std::string sentence = device.events.wait_for(Kind::trouble);
  CHECK(sentence.find("more than 64 tasks") != std::string::npos);
  CHECK(sentence.find("one-more") != std::string::npos);
  CHECK(device.events.count(Kind::trouble) == 1);
}

TEST_CASE("a server of another federation is not believed") {
  const Federation federation;
  const Federation stranger;
  FakeServer server(stranger, {[](Peer&) -> Task<> { co_return; }});
  TestDevice device(federation, server.endpoint());
  CHECK(code_thrown_by([&] { fetch_newest(device.parts()); }) == ErrorCode::unauthenticated);
}

TEST_CASE("fetching the newest versions once adopts them and ends") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 3, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> { co_await peer.bring(version); }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(10);
  CHECK(fetch_newest(device.parts()).empty());
  CHECK(device.serving() == 3);
  server.finish();
}

TEST_CASE("fetching the newest versions says which were not adopted") {
  const Federation federation;
  const PublishedVersion forged = Federation().publish("har", 3, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> { co_await peer.bring(forged, 0); }});
  TestDevice device(federation, server.endpoint());
  const auto refusals = fetch_newest(device.parts());
  REQUIRE(refusals.size() == 1);
  CHECK(refusals.front().find("version 3 of har is not adopted") != std::string::npos);
  CHECK(device.serving() == 0);
}

TEST_CASE("a server that is not there is unavailable") {
  const Federation federation;
  net::Endpoint nobody;
  {
    const FakeServer server(federation, {});
    nobody = server.endpoint();
  }
  TestDevice device(federation, nobody);
  CHECK(code_thrown_by([&] { fetch_newest(device.parts()); }) == ErrorCode::unavailable);
}

TEST_CASE("a forged version's number is not believed and shuts no genuine one out (I6)") {
  const Federation federation;
  const PublishedVersion forged = Federation().publish("har", 1'000'000, 0);
  const PublishedVersion genuine = federation.publish("har", 2, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(forged, 0);
                      co_await peer.notice(genuine);
                      co_await peer.serve(genuine, 2);
                    }});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  device.events.wait_for(Kind::version_adopted);
  CHECK(device.events.count(Kind::version_refused) == 1);
  CHECK(device.serving() == 2);
}
