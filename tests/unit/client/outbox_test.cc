#include "client/agent/outbox.h"

#include <fstream>

#include <doctest/doctest.h>

#include "client/agent/messages.h"
#include "common/base/error.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/test_device.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using Kind = AgentEvent::Kind;

namespace {

FinishedUpdate sample_update(const std::string& task = "har") {
  FinishedUpdate update;
  update.task = task;
  update.round = 3;
  update.version = 2;
  update.layout_hash = sha256(as_bytes("layout"));
  update.encoding = Encoding::fp16;
  update.bytes = Bytes(1000, std::byte{7});
  update.hash = sha256(update.bytes);
  update.examples = 12;
  update.steps = 4;
  update.train_loss = 0.5;
  update.test = {5, 0.25, 0.75};
  return update;
}

void damage(const std::filesystem::path& file, std::streamoff at) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(at, at < 0 ? std::ios::end : std::ios::beg);
  stream.put('\x55');
}

}  // namespace

TEST_CASE("an update is read back from the outbox as it was put there") {
  const TemporaryFolder folder;
  const Outbox outbox(folder / "outbox");
  CHECK(outbox.contents().updates.empty());
  outbox.put(sample_update());
  outbox.put(sample_update("other"));
  outbox.remove("other");
  outbox.remove("other");
  const Outbox::Contents contents = outbox.contents();
  CHECK(contents.troubles.empty());
  REQUIRE(contents.updates.size() == 1);
  const FinishedUpdate expected = sample_update();
  const FinishedUpdate& update = *contents.updates.front();
  CHECK(update.task == expected.task);
  CHECK(update.round == expected.round);
  CHECK(update.version == expected.version);
  CHECK(update.layout_hash == expected.layout_hash);
  CHECK(update.encoding == expected.encoding);
  CHECK(update.bytes == expected.bytes);
  CHECK(update.hash == expected.hash);
  CHECK(update.examples == expected.examples);
  CHECK(update.steps == expected.steps);
  CHECK(update.train_loss == expected.train_loss);
  CHECK(update.test.examples == 5);
  CHECK(update.test.accuracy == 0.75);
}

TEST_CASE("what is damaged in the outbox is given up with a sentence and keeps nothing else back (I9)") {
  const TemporaryFolder folder;
  const Outbox outbox(folder / "outbox");
  for (const char* const task : {"bytes", "head", "length", "short", "strange"})
    outbox.put(sample_update(task));
  outbox.put(sample_update("whole"));
  damage(folder / "outbox/bytes", -1);
  damage(folder / "outbox/head", 9);
  damage(folder / "outbox/length", 3);
  std::filesystem::resize_file(folder / "outbox/short", 3);
  std::filesystem::rename(folder / "outbox/strange", folder / "outbox/elsewhere");
  const Outbox::Contents contents = outbox.contents();
  CHECK(contents.troubles.size() == 5);
  REQUIRE(contents.updates.size() == 1);
  CHECK(contents.updates.front()->task == "whole");
  CHECK(outbox.contents().troubles.empty());
}

TEST_CASE("a finished update survives the end of its process and is announced before new work is asked for") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  Received first_time;
  Received second_time;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                                   co_await peer.bring(version);
                                   co_await peer.expect<wire::WorkRequest>();
                                   const ScriptedOffer work{};
                                   co_await peer.offer(work);
                                   first_time = co_await peer.expect<wire::UpdateAnnounce>();
                                   peer.close();
                                 },
                                 [&](Peer& peer) -> Task<> {
                                   co_await peer.welcome();
                                   co_await peer.expect<wire::Subscribe>();
                                   co_await peer.subscribed("har", 1);
                                   second_time = co_await peer.expect<wire::UpdateAnnounce>();
                                   co_await peer.go();
                                   co_await peer.receive(second_time.as<wire::UpdateAnnounce>().length());
                                   co_await peer.reply(wire::Outcome::accepted);
                                   co_await peer.expect<wire::WorkRequest>();
                                 }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(30);
  {
    AgentParts parts = device.parts();
    parts.backoff.first = std::chrono::minutes(1);  // it does not come back
    Agent agent(parts, true);
    agent.start();
    device.events.wait_for(Kind::disconnected);
  }
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  const FinishedUpdate announced = update_from(first_time.as<wire::UpdateAnnounce>());
  CHECK(announced.hash == update_from(second_time.as<wire::UpdateAnnounce>()).hash);
  device.events.wait_for(Kind::update_accepted);
  agent.stop();
  CHECK(Outbox(device.home.outbox_path()).contents().updates.empty());
}

TEST_CASE("an agent may be stopped as soon as it was started") {
  const Federation federation;
  TestDevice device(federation, {"127.0.0.1", 1});
  for (int i = 0; i < 200; ++i) {
    Agent agent(device.parts(), true);
    agent.start();
  }
  CHECK(Outbox(device.home.outbox_path()).contents().updates.empty());
}
