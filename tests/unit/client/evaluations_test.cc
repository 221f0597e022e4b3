// Evaluating versions for the server, with a scripted one over real TLS on loopback.

#include <atomic>
#include <cmath>
#include <functional>
#include <latch>

#include <doctest/doctest.h>

#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/test_device.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using Kind = AgentEvent::Kind;

namespace {

/// Loss and right answers of a version that favours class 0 on a device's held-out examples, by hand.
struct Expected {
  explicit Expected(const TestDevice& device) {
    const Examples held_out = device.examples.load("har", client::Side::held_out);
    for (const std::int64_t target : held_out.targets.integers()) {
      const double others = 2.0 * std::exp(-10.0);
      loss_sum += std::log(1.0 + others) + (target == 0 ? 0.0 : 10.0);
      correct += target == 0 ? 1.0 : 0.0;
      ++examples;
    }
  }
  std::uint64_t examples = 0;
  double loss_sum = 0.0;
  double correct = 0.0;
};

/// The first decline that a device sends where it is asked for an evaluation of version 1 after `change`.
std::string reason_of_decline(const std::function<void(TestDevice&)>& change, std::uint64_t version = 1) {
  const Federation federation;
  const PublishedVersion published = federation.publish("har", 1, 0);
  Received declined;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(published);
                      co_await peer.expect<wire::WorkRequest>();
                      co_await peer.evaluation(5, version);
                      declined = co_await peer.expect<wire::WorkDeclined>();
                      co_await peer.expect<wire::WorkRequest>();
                    }});
  TestDevice device(federation, server.endpoint());
  change(device);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  agent.stop();
  const auto& decline = declined.as<wire::WorkDeclined>();
  CHECK(decline.evaluation() == 5);
  CHECK(decline.round() == 0);
  return std::string(wire::text_of(decline.reason()));
}

}  // namespace

TEST_CASE("a device evaluates a version on its held-out examples and reports counts and sums (I1)") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  Received reported;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      co_await peer.expect<wire::WorkRequest>();
                      co_await peer.evaluation(5, 1);
                      reported = co_await peer.expect<wire::EvaluationReport>();
                      co_await peer.answer_report(wire::Outcome::accepted);
                      co_await peer.expect<wire::WorkRequest>();
                      const ScriptedOffer work{};
                      co_await peer.offer(work);
                      co_await peer.take_update(wire::Outcome::accepted);
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(40);
  const Expected expected(device);
  REQUIRE(expected.examples > 0);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  CHECK(device.events.wait_for(Kind::evaluation).find("the server has the report") != std::string::npos);
  agent.stop();
  const auto& report = reported.as<wire::EvaluationReport>();
  CHECK(wire::text_of(report.task()) == "har");
  CHECK(report.evaluation() == 5);
  CHECK(report.version() == 1);
  CHECK(report.examples() == expected.examples);
  CHECK(report.loss_sum() == doctest::Approx(expected.loss_sum).epsilon(1e-5));
  CHECK(report.correct() == doctest::Approx(expected.correct));
}

TEST_CASE("predictions are answered while a version is evaluated (I7)") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  std::latch evaluating(1);
  std::latch answered(1);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      co_await peer.expect<wire::WorkRequest>();
                      co_await peer.evaluation(5, 1);
                      co_await peer.expect<wire::EvaluationReport>();
                      co_await peer.answer_report(wire::Outcome::accepted);
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(40);
  std::unique_ptr<Model> serves;
  client::AgentParts parts = device.parts();
  parts.on_adopted = [&](AdoptedVersion adopted) {
    serves = std::move(adopted.model);
    device.engine->on_open = [&] {  // of the evaluation's own model, on a worker
      evaluating.count_down();
      answered.wait();
    };
  };
  Agent agent(std::move(parts), true);
  agent.start();
  evaluating.wait();
  const std::vector<float> input{1.0F, 2.0F};
  const Tensor batch = make_tensor(input, {1, 2});
  const std::vector<TensorView> views{batch.view()};
  CHECK(serves->predict(views).front().floats()[0] == 10.0F);
  answered.count_down();
  server.finish();
}

TEST_CASE("a device that cannot evaluate declines with the reason and asks for work again") {
  const auto holds_out_nothing = [](TestDevice& device) {
    for (int i = 0; i < 40; ++i) {
      const Example example = example_of(static_cast<float>(i), 1.0F, i % 3);
      if (side_of(example) == client::Side::training) device.examples.add("har", example);
    }
  };
  const auto has_examples = [](TestDevice& device) { device.add_examples(40); };
  const auto opens_one_model = [](TestDevice& device) {
    device.add_examples(40);
    const auto opened = std::make_shared<std::atomic<int>>(0);
    device.engine->on_open = [opened] {
      if (opened->fetch_add(1) == 1) throw Error(ErrorCode::resource_exhausted, "there is no memory");
    };
  };
  CHECK(reason_of_decline(holds_out_nothing) == "this device holds out no examples of har");
  CHECK(reason_of_decline(has_examples, 2) == "the version to evaluate is not here");
  CHECK(reason_of_decline(opens_one_model) == "there is no memory");
}

TEST_CASE("a report that is refused is told and the device goes on") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      co_await peer.expect<wire::WorkRequest>();
                      co_await peer.evaluation(5, 1);
                      co_await peer.expect<wire::EvaluationReport>();
                      co_await peer.answer_report(wire::Outcome::round_closed, "evaluation 5 is over");
                      co_await peer.expect<wire::WorkRequest>();
                    }});
  TestDevice device(federation, server.endpoint());
  device.add_examples(40);
  Agent agent(device.parts(), true);
  agent.start();
  server.finish();
  CHECK(device.events.wait_for(Kind::evaluation) ==
        "version 1 of har: the report was not taken: evaluation 5 is over");
}
