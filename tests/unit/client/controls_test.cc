// Control variates: how they are kept, and what a device trains and tells by them.

#include <algorithm>
#include <cstring>
#include <fstream>

#include <doctest/doctest.h>

#include "client/store/control_store.h"
#include "common/base/files.h"
#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/test_device.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using Kind = AgentEvent::Kind;

namespace {

constexpr std::size_t elements = 9;  // of the federation's model
constexpr float rate = 0.1F;         // of the scripted offer, as is that it trains two steps

Digest digest_of(const std::string& text) {
  return sha256(as_bytes(text));
}

/// What an update of the model holds: the delta, and the change of the control variate behind it.
struct Told {
  explicit Told(const Bytes& bytes) : all(weights_from(bytes, 2 * elements)) {}
  float delta(std::size_t i) const { return all.at(i); }
  float change(std::size_t i) const { return all.at(elements + i); }
  Weights all;
};

Task<Bytes> take_update(Peer& peer, wire::Outcome outcome) {
  const Received announced = co_await peer.expect<wire::UpdateAnnounce>();
  co_await peer.go();
  Bytes bytes = co_await peer.receive(announced.as<wire::UpdateAnnounce>().length());
  co_await peer.reply(outcome);
  co_return bytes;
}

/// With 30 examples, until the server has gone through its script.
void take_part(TestDevice& device, FakeServer& server) {
  device.add_examples(30);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  agent.stop();
}

Weights kept_by(const TestDevice& device) {
  return ControlStore(device.home.models_path() / "har", linear_layout(2, 3).hash()).read(elements);
}

}  // namespace

TEST_CASE("a control variate counts once its update is confirmed and survives a restart") {
  const TemporaryFolder folder;
  const Digest layout = digest_of("layout");
  const Weights next = {1.0F, -2.0F, 3.0F};
  const ControlStore store(folder / "har", layout);
  CHECK(store.read(3) == Weights(3, 0.0F));
  store.propose(digest_of("update"), next);
  CHECK(store.read(3) == Weights(3, 0.0F));
  store.confirm(digest_of("another update"));
  CHECK(store.read(3) == Weights(3, 0.0F));
  ControlStore(folder / "har", digest_of("another layout")).confirm(digest_of("update"));
  CHECK(store.read(3) == Weights(3, 0.0F));
  ControlStore(folder / "har", layout).confirm(digest_of("update"));
  CHECK(store.read(3) == next);
  store.confirm(digest_of("update"));
  CHECK(ControlStore(folder / "har", layout).read(3) == next);
}

TEST_CASE("a control variate of another layout or a damaged one is zeros (I9)") {
  const TemporaryFolder folder;
  const ControlStore store(folder / "har", digest_of("layout"));
  store.propose(digest_of("update"), Weights{1.0F, -2.0F, 3.0F});
  store.confirm(digest_of("update"));
  CHECK(store.read(4) == Weights(4, 0.0F));
  CHECK(ControlStore(folder / "har", digest_of("another")).read(3) == Weights(3, 0.0F));
  Bytes bytes = read_file(folder / "har" / "control");
  bytes[70] ^= std::byte{1};
  write_file_atomically(folder / "har" / "control", bytes);
  CHECK(store.read(3) == Weights(3, 0.0F));
  write_file_atomically(folder / "har" / "control", as_bytes("short"));
  CHECK(store.read(3) == Weights(3, 0.0F));
}

TEST_CASE(
    "a device tells how its control variate changes and trains by it and by the server's from then on") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  const Weights server_control = {0.5F, 0, 0, 0, -0.25F, 0, 0, 0, 0.125F};
  const Bytes control(fl::as_bytes(std::span<const float>(server_control)).begin(),
                      fl::as_bytes(std::span<const float>(server_control)).end());
  Bytes told_first;
  Bytes told_second;
  FakeServer server(
      federation, {[&](Peer& peer) -> Task<> {
        co_await peer.bring(first);
        co_await peer.expect<wire::WorkRequest>();
        const ScriptedOffer work{.control_elements = elements, .max_control = 1e4F};
        co_await peer.offer(work);
        told_first = co_await take_update(peer, wire::Outcome::accepted);
        co_await peer.expect<wire::WorkRequest>();
        co_await peer.notice(second);
        co_await peer.serve(second, 1);
        ScriptedOffer next{.round = 2, .version = 2, .control_elements = elements};
        next.control = sha256(control);
        next.max_control = 1e4F;
        co_await peer.offer(next);
        const Received received = co_await peer.expect<wire::Fetch>();
        CHECK(Digest::from_bytes(wire::bytes_of(received.as<wire::Fetch>().hash())) == sha256(control));
        co_await peer.transfer(control, 0);
        told_second = co_await take_update(peer, wire::Outcome::accepted);
        co_await peer.expect<wire::WorkRequest>();
      }});
  TestDevice device(federation, server.endpoint());
  take_part(device, server);
  // c and c_i are zeros: Δc = −Δy / (K·η), with two steps.
  const Told before(told_first);
  const Told after(told_second);
  const Weights kept = kept_by(device);
  for (std::size_t i = 0; i < elements; ++i) {
    CHECK(before.change(i) == doctest::Approx(-before.delta(i) / (2 * rate)).epsilon(1e-4));
    const float change = -server_control[i] - after.delta(i) / (2 * rate);
    CHECK(after.change(i) == doctest::Approx(change).epsilon(1e-4));
    CHECK(kept[i] == doctest::Approx(before.change(i) + after.change(i)).epsilon(1e-4));
  }
  // The second session was corrected by c − c_i, which the engine takes as it was told.
  LinearEngine engine;
  const auto model = engine.open(second.archive, second.manifest.contract);
  std::copy(second.weights.begin(), second.weights.end(), model->weights().begin());
  Weights correction(elements);
  for (std::size_t i = 0; i < elements; ++i) correction[i] = server_control[i] - before.change(i);
  TrainingPlan plan;
  plan.learning_rate = 0.1;
  plan.epochs = 2;
  TrainingSession session{2, 7};
  session.correction = correction;
  model->train(device.examples.load("har", Side::training), plan, session,
               [](const TrainingProgress&) { return true; });
  for (std::size_t i = 0; i < elements; ++i) {
    CHECK(after.delta(i) == doctest::Approx(model->weights()[i] - second.weights[i]).epsilon(1e-4));
  }
}

TEST_CASE("an update that the server does not take leaves the device's control variate as it was") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      co_await peer.expect<wire::WorkRequest>();
                      const ScriptedOffer work{.control_elements = elements, .max_control = 1e4F};
                      co_await peer.offer(work);
                      co_await take_update(peer, wire::Outcome::round_closed);
                      co_await peer.expect<wire::WorkRequest>();
                    }});
  TestDevice device(federation, server.endpoint());
  take_part(device, server);
  CHECK(kept_by(device) == Weights(elements, 0.0F));
}

TEST_CASE("control variates that do not fit or change too much are declined by their reason (I8)") {
  const auto reason_for = [](const ScriptedOffer& work) {
    const Federation federation;
    const PublishedVersion version = federation.publish("har", 1, 0);
    std::string reason;
    FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                        co_await peer.bring(version);
                        co_await peer.expect<wire::WorkRequest>();
                        co_await peer.offer(work);
                        const Received declined = co_await peer.expect<wire::WorkDeclined>();
                        reason = wire::text_of(declined.as<wire::WorkDeclined>().reason());
                      }});
    TestDevice device(federation, server.endpoint());
    device.add_examples(30);
    Agent agent(device.parts(), true);
    agent.start();
    server.finish();
    agent.stop();
    return reason;
  };
  CHECK(reason_for({.control_elements = elements, .max_control = 1e-6F})
            .find("changed the control variate by") != std::string::npos);
  CHECK(reason_for({.control_elements = 8, .max_control = 1.0F}) ==
        "the server's control variate has 8 elements, the model trains 9");
  ScriptedOffer longer{.control_elements = 10, .max_control = 1.0F};
  longer.control = digest_of("a control variate");
  CHECK(reason_for(longer) == "its control variate is longer than the model");
}
