// What becomes of updates that are not taken, and of training that is not to end.

#include <latch>

#include <doctest/doctest.h>

#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/test_device.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using Kind = AgentEvent::Kind;

TEST_CASE("an update for a closed round is dropped and work asked for again") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      co_await peer.expect<wire::WorkRequest>();
                      const ScriptedOffer work{};
                      co_await peer.offer(work);
                      co_await peer.expect<wire::UpdateAnnounce>();
                      co_await peer.reply(wire::Outcome::round_closed, "round 1 has its updates");
                      co_await peer.expect<wire::WorkRequest>();
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(10);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  CHECK(device.events.wait_for(Kind::update_refused).find("round 1 has its updates") != std::string::npos);
}

TEST_CASE("an update that the server could not store is sent again at most three times") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(first);
                      co_await peer.expect<wire::WorkRequest>();
                      const ScriptedOffer work{};
                      co_await peer.offer(work);
                      for (int i = 0; i < 3; ++i) co_await peer.take_update(wire::Outcome::server_failure);
                      co_await peer.notice(second);  // only now does it ask again
                      co_await peer.serve(second, 1);
                      co_await peer.expect<wire::WorkRequest>();
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(10);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  CHECK(device.events.count(Kind::update_refused) == 3);
}

TEST_CASE("a delta over the cap is not sent and nothing is asked for until the next version") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  TestDevice* reporting = nullptr;
  FakeServer server(
      federation, {[&](Peer& peer) -> Task<> {
        co_await peer.bring(first);
        co_await peer.expect<wire::WorkRequest>();
        const ScriptedOffer work{.max_delta = 1e-6F};
        co_await peer.offer(work);
        const Received message = co_await peer.expect<wire::WorkDeclined>();
        const auto& declined = message.as<wire::WorkDeclined>();
        CHECK(declined.round() == 1);
        CHECK(wire::text_of(declined.reason()).find("the task allows") != std::string_view::npos);
        reporting->events.wait_for(Kind::trouble);
        co_await peer.notice(second);
        co_await peer.serve(second, 1);
        co_await peer.expect<wire::WorkRequest>();
      }});
  TestDevice device(federation, server.endpoint());
  reporting = &device;
  device.add_examples(10);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  const std::string sentence = device.events.wait_for(Kind::trouble);
  CHECK(sentence.find("the task allows") != std::string::npos);
  CHECK(sentence.find("not sent") != std::string::npos);
}

TEST_CASE("an offer that cannot be done is declined until the next version and the connection goes on") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  TestDevice* reporting = nullptr;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(first);
                      co_await peer.expect<wire::WorkRequest>();
                      const ScriptedOffer work{.max_examples = 0};
                      co_await peer.offer(work);
                      const Received message = co_await peer.expect<wire::WorkDeclined>();
                      const std::string_view reason =
                          wire::text_of(message.as<wire::WorkDeclined>().reason());
                      CHECK(reason.find("no example may count") != std::string_view::npos);
                      reporting->events.wait_for(Kind::trouble);
                      co_await peer.notice(second);
                      co_await peer.serve(second, 1);
                      const Received request = co_await peer.expect<wire::WorkRequest>();
                      CHECK(request.as<wire::WorkRequest>().version() == 2);
                    }});
  TestDevice device(federation, server.endpoint());
  reporting = &device;
  device.add_examples(10);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  CHECK(device.events.wait_for(Kind::trouble).find("no example may count") != std::string::npos);
}

TEST_CASE("a newer version ends the training for the round before it") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  std::latch training(1);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(first);
                      co_await peer.expect<wire::WorkRequest>();
                      const ScriptedOffer work{.epochs = 0, .steps = 100'000'000};
                      co_await peer.offer(work);
                      training.wait();
                      co_await peer.notice(second);
                      co_await peer.serve(second, 1);
                      const Received request = co_await peer.expect<wire::WorkRequest>();
                      CHECK(request.as<wire::WorkRequest>().version() == 2);
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(10);
  device.engine->on_step = [&](std::uint64_t step) {
    if (step == 1) training.count_down();
  };
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
}

TEST_CASE("training that its deadline overtakes is given up and work asked for again") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      co_await peer.expect<wire::WorkRequest>();
                      const ScriptedOffer work{.epochs = 0, .steps = 100'000'000, .deadline_ms = 100};
                      co_await peer.offer(work);
                      co_await peer.expect<wire::WorkDeclined>();
                      co_await peer.expect<wire::WorkRequest>();
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(10);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  CHECK(device.events.wait_for(Kind::trouble).find("the round ended") != std::string::npos);
}

TEST_CASE("stopping ends a training session within a second") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  std::latch training(1);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      co_await peer.expect<wire::WorkRequest>();
                      const ScriptedOffer work{.epochs = 0, .steps = 100'000'000};
                      co_await peer.offer(work);
                      training.wait();
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(10);
  device.engine->on_step = [&](std::uint64_t step) {
    if (step == 1) training.count_down();
  };
  Agent agent(device.parts(), true);
  agent.start();
  training.wait();
  const auto begun = std::chrono::steady_clock::now();
  agent.stop();
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(1));
  agent.start();  // and it can begin again
  agent.stop();
}
