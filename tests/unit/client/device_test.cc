#include "client/include/fl/device.h"

#include <atomic>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include "client/agent/agent.h"
#include "common/base/error.h"
#include "common/base/files.h"
#include "common/net/enrolment_token.h"
#include "protocol/limits.h"
#include "tests/unit/client/adopting.h"
#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/in_child.h"
#include "tests/unit/client/test_device.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using Kind = AgentEvent::Kind;
namespace fs = std::filesystem;

namespace {

/// A home that holds versions of "har", whose server is gone.
class OfflineHome {
 public:
  explicit OfflineHome(const std::vector<PublishedVersion>& versions, const Federation& federation) {
    const DeviceHome home = federation.make_home(path(), {"127.0.0.1", 1});
    ModelStores stores(home.models_path(), home.settings().signing_key, Access::owner);
    for (const PublishedVersion& version : versions) {
      ModelStore& store = *stores.find_or_make(version.manifest.task);
      fetch(store, version);
      store.adopt(version.signed_manifest, {});
    }
  }

  fs::path path() const { return folder_ / "home"; }
  Device open(bool guest = false) {
    return Device::open(path(), {.engine = engine,
                                 .on_event = [this](const AgentEvent& event) { events.add(event); },
                                 .guest = guest});
  }

  std::shared_ptr<LinearEngine> engine = std::make_shared<LinearEngine>();
  EventLog events;

 private:
  TemporaryFolder folder_;
};

const std::vector<float> input{1.0F, 2.0F};

}  // namespace

TEST_CASE("a device predicts without a network from its start (I2)") {
  const Federation federation;
  OfflineHome home({federation.publish("har", 4, 2)}, federation);
  Device device = home.open();
  CHECK(home.engine->opened == 0);
  const Prediction answer = device.predict("har", input);
  CHECK(answer.label == "c2");
  CHECK(answer.version == 4);
  CHECK(answer.scores.size() == 3);
  CHECK(answer.scores[2] > 0.99F);
  device.predict("har", input);
  CHECK(home.engine->opened == 1);
}

TEST_CASE("a batch has an answer for each of its examples") {
  const Federation federation;
  OfflineHome home({federation.publish("har", 1, 1)}, federation);
  Device device = home.open();
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const Tensor batch = make_tensor(std::span<const float>(values), {3, 2});
  const std::vector<TensorView> views{batch.view()};
  CHECK(device.predict("har", views).size() == 3);
}

TEST_CASE("predicting says what is wrong with what it is asked (I9)") {
  const Federation federation;
  OfflineHome home({federation.publish("har", 1, 1)}, federation);
  Device device = home.open();
  const std::vector<float> three{1, 2, 3};
  const std::vector<float> none{1, std::numeric_limits<float>::infinity()};
  CHECK(code_thrown_by([&] { device.predict("other", input); }) == ErrorCode::not_found);
  CHECK(sentence_thrown_by([&] { device.predict("other", input); }).find("har") != std::string::npos);
  CHECK(code_thrown_by([&] { device.predict("har", three); }) == ErrorCode::invalid_argument);
  CHECK(code_thrown_by([&] { device.predict("har", none); }) == ErrorCode::invalid_argument);
}

TEST_CASE("one device owns a home and guests may look at it") {
  const Federation federation;
  OfflineHome home({federation.publish("har", 1, 1)}, federation);
  Device owner = home.open();
  CHECK(code_thrown_by([&] { home.open(); }) == ErrorCode::failed_precondition);
  Device guest = home.open(true);
  CHECK(guest.predict("har", input).label == "c1");
  CHECK(guest.add_example("har", input, "c0"));
  CHECK_FALSE(owner.add_example("har", input, "c0"));
  CHECK(code_thrown_by([&] { guest.start(); }) == ErrorCode::failed_precondition);
  CHECK(code_thrown_by([&] { guest.sync(); }) == ErrorCode::failed_precondition);
  guest.stop();
}

TEST_CASE("a folder that is no home is not opened") {
  const TemporaryFolder folder;
  CHECK(code_thrown_by([&] { Device::open(folder / "none"); }) == ErrorCode::not_found);
  CHECK_FALSE(fs::exists(folder / "none"));
}

TEST_CASE("a device whose champion was tampered with serves the version before and says so (I6)") {
  const Federation federation;
  const PublishedVersion second = federation.publish("har", 2, 1);
  OfflineHome home({federation.publish("har", 1, 0), second}, federation);
  const fs::path part = home.path() / "models/har/parts" / second.manifest.weights_hash.hex();
  Bytes bytes = read_file(part);
  bytes[0] ^= std::byte{1};
  SUBCASE("before it was opened") {
    write_file_atomically(part, bytes);
    Device device = home.open();
    CHECK(home.events.count(Kind::model_damaged) == 1);
    CHECK(device.predict("har", input).version == 1);
  }
  SUBCASE("after it was opened and before it was needed") {
    Device device = home.open();
    write_file_atomically(part, bytes);
    CHECK(device.predict("har", input).version == 1);
    CHECK(home.events.count(Kind::model_damaged) == 1);
  }
  SUBCASE("as a guest sees it, who changes nothing") {
    write_file_atomically(part, bytes);
    Device device = home.open(true);
    CHECK(device.predict("har", input).version == 1);
    CHECK(home.events.count(Kind::model_damaged) == 1);
    CHECK(fs::exists(part));
  }
}

TEST_CASE("a device predicts on a disk that is full and says what it has (I2)") {
  const Federation federation;
  OfflineHome home({federation.publish("har", 4, 2)}, federation);
  {
    Device owner = home.open();
    owner.add_example("har", input, "c0");
  }
  const auto look = [&] {
    Device device = home.open(true);
    if (device.predict("har", input).label != "c2") return 1;
    const TaskStatus status = device.status().tasks.at(0);
    return status.version == 4 && status.training_examples + status.held_out_examples == 1 ? 0 : 2;
  };
  CHECK(on_full_disk(0, look) == 0);
}

TEST_CASE("a device predicts without its examples and says where they are needed (I2)") {
  const Federation federation;
  OfflineHome home({federation.publish("har", 4, 2)}, federation);
  fs::create_directory(home.path() / "examples.db");
  for (const bool guest : {false, true}) {
    Device device = home.open(guest);
    CHECK(device.predict("har", input).label == "c2");
    CHECK(device.tasks() == std::vector<std::string>{"har"});
    const auto names_it = [&](const auto& action) {
      return sentence_thrown_by([&] { action(); }).find("examples.db") != std::string::npos;
    };
    CHECK(names_it([&] { device.status(); }));
    CHECK(names_it([&] { device.add_example("har", input, "c0"); }));
    CHECK(names_it([&] { device.evaluate_held_out("har"); }));
  }
}

TEST_CASE("what was tampered with is named to the one who asks and not shown as serving (I6)") {
  const Federation federation;
  const PublishedVersion only = federation.publish("har", 1, 0);
  OfflineHome home({only}, federation);
  const auto tampered = [&](const fs::path& file) {
    Bytes bytes = read_file(home.path() / "models/har" / file);
    bytes[bytes.size() / 2] ^= std::byte{1};
    write_file_atomically(home.path() / "models/har" / file, bytes);
  };
  std::string damaged;
  SUBCASE("the weights") {
    tampered(fs::path("parts") / only.manifest.weights_hash.hex());
    damaged = only.manifest.weights_hash.hex() + " is damaged";
  }
  SUBCASE("the manifest") {
    tampered("champion.json");
    damaged = "champion.json is damaged";
  }
  Device device = home.open(true);
  CHECK(device.status().tasks.at(0).version == 0);
  CHECK(device.status().tasks.at(0).version == 0);
  CHECK(home.events.count(Kind::model_damaged) == 1);
  const std::string sentence = sentence_thrown_by([&] { device.predict("har", input); });
  CAPTURE(sentence);
  CHECK(sentence.find(damaged) != std::string::npos);
  CHECK(sentence.find("fl-client sync") != std::string::npos);
}

TEST_CASE("a device without any version that verifies says that there is no model") {
  const Federation federation;
  const PublishedVersion only = federation.publish("har", 1, 1);
  OfflineHome home({only}, federation);
  fs::remove(home.path() / "models/har/parts" / only.manifest.archive_hash.hex());
  Device device = home.open();
  CHECK(code_thrown_by([&] { device.predict("har", input); }) == ErrorCode::failed_precondition);
  CHECK(device.status().tasks.front().version == 0);
}

TEST_CASE("examples are counted and held out and known again") {
  const Federation federation;
  OfflineHome home({federation.publish("har", 1, 1)}, federation);
  Device device = home.open();
  for (int i = 0; i < 50; ++i) {
    const std::vector<float> x{static_cast<float>(i), 0.0F};
    CHECK(device.add_example("har", x, "c" + std::to_string(i % 3)));
    CHECK_FALSE(device.add_example("har", x, "c" + std::to_string(i % 3)));
  }
  const DeviceStatus status = device.status();
  REQUIRE(status.tasks.size() == 1);
  CHECK(status.tasks[0].training_examples + status.tasks[0].held_out_examples == 50);
  CHECK(status.tasks[0].held_out_examples > 0);
  CHECK(status.id == "device-1");
  CHECK(status.server == "127.0.0.1:1");
  CHECK(device.evaluate_held_out("har").examples == status.tasks[0].held_out_examples);
  CHECK(code_thrown_by([&] { device.add_example("har", input, "c9"); }) == ErrorCode::invalid_argument);
  CHECK(code_thrown_by([&] { device.add_example("har", input, 1.0F); }) == ErrorCode::invalid_argument);
  CHECK(code_thrown_by([&] { device.add_example("other", input, "c0"); }) == ErrorCode::not_found);
}

TEST_CASE("files are imported whole or not at all (I9)") {
  const Federation federation;
  OfflineHome home({federation.publish("har", 1, 1)}, federation);
  Device device = home.open();
  std::ofstream(home.path() / "good.csv") << "x0,x1,label\n1,2,c0\n3,4,c1\n1,2,c0\n";
  std::ofstream(home.path() / "bad.csv") << "x0,x1,label\n5,6,c0\n7,oops,c1\n";
  const auto import = [&](const std::vector<fs::path>& files) { return device.import_files("har", files); };
  const std::string sentence =
      sentence_thrown_by([&] { import({home.path() / "good.csv", home.path() / "bad.csv"}); });
  CHECK(sentence.find("bad.csv:3") != std::string::npos);
  CHECK(device.status().tasks[0].training_examples + device.status().tasks[0].held_out_examples == 0);
  std::uint64_t seen = 0;
  CHECK(device.import_files("har", {home.path() / "good.csv"},
                            [&](std::uint64_t examples, const std::string&) { seen = examples; }) == 2);
  CHECK(seen == 3);
  CHECK(code_thrown_by([&] { import({home.path() / "none.csv"}); }) == ErrorCode::not_found);
  std::ofstream(home.path() / "empty.csv") << "x0,x1,label\n";
  CHECK(code_thrown_by([&] { import({home.path() / "empty.csv"}); }) == ErrorCode::invalid_data);
  CHECK(import({home.path() / "empty.csv", home.path() / "good.csv"}) == 0);
}

TEST_CASE("training alone changes nothing of what the device serves") {
  const Federation federation;
  OfflineHome home({federation.publish("har", 1, 1)}, federation);
  Device device = home.open();
  CHECK(code_thrown_by([&] { device.train_alone("har", 5, {}); }) == ErrorCode::failed_precondition);
  for (int i = 0; i < 60; ++i) {
    const std::vector<float> x{static_cast<float>(i % 7), static_cast<float>(i)};
    device.add_example("har", x, "c0");
  }
  const auto go_on = [](const TrainingProgress&) { return true; };
  const auto alone = device.train_alone("har", 5, go_on);
  CHECK(device.evaluate_held_out("har", *alone).accuracy == 1.0);
  CHECK(device.evaluate_held_out("har").accuracy == 0.0);
  CHECK(device.predict("har", input).label == "c1");
  const auto stop = [](const TrainingProgress&) { return false; };
  CHECK(code_thrown_by([&] { device.train_alone("har", 5, stop); }) == ErrorCode::cancelled);
}

TEST_CASE("training alone is pulled to no general model and says where its plan is the default one") {
  const Federation federation;
  OfflineHome home({federation.publish("har", 1, 1)}, federation);
  TrainingPlan used;
  home.engine->on_train = [&](const TrainingPlan& plan) { used = plan; };
  const auto go_on = [](const TrainingProgress&) { return true; };
  {
    Device device = home.open();
    for (int i = 0; i < 20; ++i) {
      const std::vector<float> x{static_cast<float>(i), 1.0F};
      device.add_example("har", x, "c0");
    }
    device.train_alone("har", 3, go_on);
    CHECK(home.events.wait_for(Kind::training).find("default plan") != std::string::npos);
    CHECK(used.epochs == 3);
  }
  TrainingPlan plan;
  plan.steps = 100;
  plan.batch_size = 5;
  plan.proximal_mu = 0.5;
  ModelStore(home.path() / "models/har", "har", federation.signing_key.public_key(), Access::owner)
      .remember_plan(plan);
  home.open(true).train_alone("har", 3, go_on);
  CHECK(used.batch_size == 5);
  CHECK(used.steps == 0);
  CHECK(used.proximal_mu == 0.0);
  CHECK(home.events.count(Kind::training) == 1);
}

TEST_CASE("enrolling and fetching makes a device that predicts with the server gone (I2)") {
  const TemporaryFolder folder;
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 3, 2);
  const auto admit = [&](Peer& peer) -> Task<> {
    peer.connection().set_limits(limits::message_bytes, 0);
    const Received received = co_await peer.expect<wire::EnrolRequest>();
    const auto request = wire::bytes_of(received.as<wire::EnrolRequest>().certificate_request());
    const net::Certificate certificate = net::issue_device(federation.authority, request, "device-7",
                                                           federation.validity(std::chrono::hours(24)));
    auto reply = wire::make_message<wire::EnrolReply>([&](flatbuffers::FlatBufferBuilder& builder) {
      const auto id = builder.CreateString("device-7");
      const auto der = wire::field_of(builder, certificate.to_der());
      return wire::CreateEnrolReply(builder, id, der,
                                    wire::field_of(builder, federation.signing_key.public_key().bytes));
    });
    co_await peer.send(std::move(reply));
  };
  const auto engine = std::make_shared<LinearEngine>();
  {
    FakeServer server(federation, {admit, [&](Peer& peer) -> Task<> { co_await peer.bring(version); }});
    const net::EnrolmentToken token{server.endpoint(), federation.authority.certificate.fingerprint(),
                                    Bytes(32, std::byte{1})};
    Device device = Device::enrol(folder / "home", token.text(), "kitchen", {.engine = engine});
    CHECK(device.id() == "device-7");
    device.sync();
    server.finish();
  }
  Device device = Device::open(folder / "home", {.engine = engine});
  CHECK(device.predict("har", input).version == 3);
}

TEST_CASE("a running device adopts a version that is pushed and tells the app") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  TemporaryFolder folder;
  EventLog events;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(first);
                      co_await peer.notice(second);
                      co_await peer.serve(second, 1);
                    }});
  federation.make_home(folder / "home", server.endpoint());
  Device device =
      Device::open(folder / "home", {.engine = std::make_shared<LinearEngine>(),
                                     .on_event = [&](const AgentEvent& event) { events.add(event); }});
  std::vector<ModelChange> changes;
  device.on_model_change([&](const ModelChange& change) { changes.push_back(change); });
  device.start();
  CHECK(code_thrown_by([&] { device.sync(); }) == ErrorCode::failed_precondition);
  events.wait_for(Kind::version_adopted, 2);
  CHECK(device.predict("har", input).version == 2);
  device.stop();
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].from == 0);
  CHECK(changes[0].to == 1);
  CHECK(changes[1].from == 1);
  CHECK(changes[1].to == 2);
}

TEST_CASE("listeners that throw stop neither the agent nor the app") {
  const Federation federation;
  const PublishedVersion first = federation.publish("har", 1, 0);
  const PublishedVersion second = federation.publish("har", 2, 1);
  TemporaryFolder folder;
  EventLog events;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(first);
                      co_await peer.expect<wire::WorkRequest>();
                      const ScriptedOffer work{};
                      co_await peer.offer(work);
                      co_await peer.take_update(wire::Outcome::accepted);
                      co_await peer.expect<wire::WorkRequest>();
                      co_await peer.later("har", 60'000);
                      co_await peer.notice(second);
                      co_await peer.serve(second, 1);
                      co_await peer.expect<wire::WorkRequest>();
                    }});
  federation.make_home(folder / "home", server.endpoint());
  ExampleStore(folder / "home/examples.db").add("har", example_of(0, 1, 0));
  Device device = Device::open(
      folder / "home", {.engine = std::make_shared<LinearEngine>(), .on_event = [&](const AgentEvent& event) {
                          events.add(event);
                          throw std::runtime_error("the app's own trouble");
                        }});
  std::atomic<int> changes{0};
  device.on_model_change([&](const ModelChange&) {
    ++changes;
    throw std::runtime_error("the app's own trouble");
  });
  device.start();
  server.finish();
  device.stop();
  CHECK(events.count(Kind::version_adopted) == 2);
  CHECK(events.count(Kind::update_accepted) == 1);
  CHECK(changes == 2);
}

TEST_CASE("predictions go on while versions are swapped and each is of one version (I7)") {
  constexpr std::uint64_t versions = 30;
  const Federation federation;
  std::vector<PublishedVersion> published;
  for (std::uint64_t number = 1; number <= versions; ++number) {
    published.push_back(federation.publish("har", number, static_cast<std::int64_t>(number % 3)));
  }
  OfflineHome home({published.front()}, federation);
  TemporaryFolder folder;
  EventLog events;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(published[0]);
                      for (std::size_t i = 1; i < published.size(); ++i) {
                        co_await peer.notice(published[i]);
                        // Every third version has the weights of the one three before it, which are gone by
                        // then.
                        co_await peer.serve(published[i], 1);
                      }
                    }});
  federation.make_home(folder / "home", server.endpoint());
  Device device =
      Device::open(folder / "home", {.engine = std::make_shared<LinearEngine>(),
                                     .on_event = [&](const AgentEvent& event) { events.add(event); }});
  device.start();
  events.wait_for(Kind::version_adopted);
  std::atomic<bool> done{false};
  std::atomic<int> mixed{0};
  std::atomic<std::uint64_t> answered{0};
  const auto ask = [&] {
    std::uint64_t newest = 0;
    while (!done) {
      const Prediction answer = device.predict("har", input);
      if (answer.label != "c" + std::to_string(answer.version % 3) || answer.version < newest) ++mixed;
      newest = answer.version;
      ++answered;
    }
  };
  std::thread one(ask);
  std::thread other(ask);
  events.wait_for(Kind::version_adopted, versions);
  done = true;
  one.join();
  other.join();
  CHECK(mixed == 0);
  CHECK(answered > 0);
  CHECK(device.predict("har", input).version == versions);
}

TEST_CASE("a listener may add examples and stopping does not wait for it forever") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  TemporaryFolder folder;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.bring(version);
                      co_await peer.expect<wire::WorkRequest>();
                    }});
  federation.make_home(folder / "home", server.endpoint());
  std::atomic<Device*> app{nullptr};
  Device device = Device::open(
      folder / "home", {.engine = std::make_shared<LinearEngine>(), .on_event = [&](const AgentEvent& event) {
                          if (event.kind != Kind::version_adopted) return;
                          for (int i = 0; i < 10; ++i) {
                            const std::vector<float> x{static_cast<float>(i), 1.0F};
                            app.load()->add_example("har", x, "c0");
                          }
                        }});
  app = &device;
  device.start();
  server.finish();
  device.stop();
  CHECK(device.status().tasks.front().training_examples > 0);
}
