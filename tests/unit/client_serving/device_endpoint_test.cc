#include "client/serving/device_endpoint.h"

#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <latch>
#include <thread>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/client/adopting.h"
#include "tests/unit/client/federation.h"
#include "tests/unit/serving/conformance.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// The first output is the first input, the others are 0.
Weights first_input() {
  Weights weights(9, 0.0F);
  weights.front() = 1.0F;
  return weights;
}

/// A device's home without a network, and what its owner does there.
class Home {
 public:
  Home()
      : home_(federation_.make_home(folder_ / "home", {"127.0.0.1", 1})),
        stores_(home_.models_path(), home_.settings().signing_key, Access::owner) {}

  void adopt(std::uint64_t version, Weights weights = first_input()) {
    test::adopt(*stores_.find_or_make("har"), federation_.publish("har", version, std::move(weights),
                                                                  linear_archive(2, 3, Weights(9, 0.0F))));
  }
  void adopt_favouring(std::uint64_t version) {
    adopt(version, weights_favouring(2, 3, static_cast<std::int64_t>(version % 3)));
  }

  fs::path path() const { return folder_ / "home"; }

  DeviceEndpoint::Settings settings() {
    DeviceEndpoint::Settings made;
    made.engine = engine;
    made.models.look_time = 1ms;
    made.program_version = "1.2.3";
    return made;
  }

  std::shared_ptr<LinearEngine> engine = std::make_shared<LinearEngine>();

 private:
  TemporaryFolder folder_;
  Federation federation_;
  DeviceHome home_;
  ModelStores stores_;
};

DoorUnderTest door_of(const DeviceEndpoint& endpoint, std::uint64_t version) {
  std::string key = read_text_file(endpoint.key_path());
  key.pop_back();
  return {endpoint.address().port, {{"Authorization", "Bearer " + key}}, "fl-client", version, "local"};
}

ErrorCode refusal(const fs::path& home, const DeviceEndpoint::Settings& settings) {
  try {
    const DeviceEndpoint endpoint(home, settings);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

const std::string request =
    R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}],"outputs":[{"name":"label"}]})";

}  // namespace

TEST_CASE("a device's endpoint speaks the Open Inference Protocol") {
  Home home;
  home.adopt(7);
  const DeviceEndpoint endpoint(home.path(), home.settings());
  check_conformance(door_of(endpoint, 7));
}

TEST_CASE("a request without the home's key is refused and the key is its owner's alone") {
  Home home;
  home.adopt(1);
  const DeviceEndpoint endpoint(home.path(), home.settings());
  CHECK(HttpClient(endpoint.address().port).ask("POST", "/v2/models/har/infer", {}, request).status == 401);
  CHECK(HttpClient(endpoint.address().port).ask("GET", "/v2/health/live").status == 200);
  CHECK(fs::status(endpoint.key_path()).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  const std::string key = read_text_file(endpoint.key_path());
  const DeviceEndpoint again(home.path(), home.settings());
  CHECK(read_text_file(again.key_path()) == key);
}

TEST_CASE("metrics tell what was answered") {
  Home home;
  home.adopt(7);
  const DeviceEndpoint endpoint(home.path(), home.settings());
  const DoorUnderTest door = door_of(endpoint, 7);
  HttpClient client(endpoint.address().port);
  CHECK(client.ask("POST", "/v2/models/har/infer", door.fields, request).status == 200);
  CHECK(client.ask("POST", "/v2/models/har/infer", door.fields, "{}").status == 400);
  const std::string text = client.ask("GET", "/metrics", door.fields).body;
  const auto has = [&](const std::string& line) {
    return text.find("\n" + line + "\n") != std::string::npos;
  };
  CHECK(has(R"(fl_inference_requests_total{model="har",outcome="answered",version="7"} 1)"));
  CHECK(has(R"(fl_inference_requests_total{model="har",outcome="refused",version="7"} 1)"));
  CHECK(has(R"(fl_inference_batch_examples_count{model="har",version="7"} 1)"));
}

TEST_CASE("a home without a version is not ready and becomes so when one is adopted") {
  Home home;
  const DeviceEndpoint endpoint(home.path(), home.settings());
  HttpClient client(endpoint.address().port);
  CHECK(client.ask("GET", "/v2/health/ready").status == 503);
  const DoorUnderTest door = door_of(endpoint, 3);
  CHECK(client.ask("GET", "/v2/models/har", door.fields).status == 404);
  home.adopt(3);
  while (client.ask("GET", "/v2/health/ready").status != 200) std::this_thread::yield();
  CHECK(client.ask("POST", "/v2/models/har/infer", door.fields, request).status == 200);
}

TEST_CASE("requests go on through a hundred swaps and each is answered by one version that says which (I7)") {
  Home home;
  home.adopt_favouring(1);
  DeviceEndpoint::Settings settings = home.settings();
  settings.models.executors = 2;
  const DeviceEndpoint endpoint(home.path(), settings);
  const DoorUnderTest door = door_of(endpoint, 1);
  std::atomic<bool> done = false;
  std::atomic<int> failed = 0;
  std::atomic<int> mixed = 0;
  std::atomic<std::uint64_t> newest = 0;
  std::vector<std::jthread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      HttpClient client(endpoint.address().port);
      while (!done) {
        const HttpAnswer answer = client.ask("POST", "/v2/models/har/infer", door.fields, request);
        if (answer.status != 200) {
          ++failed;
          continue;
        }
        const auto body = boost::json::parse(answer.body);
        const std::uint64_t version = std::stoull(body.at("model_version").as_string().c_str());
        const std::string label(body.at("outputs").at(0).at("data").at(0).as_string());
        if (label != "c" + std::to_string(version % 3)) ++mixed;
        for (std::uint64_t seen = newest; version > seen && !newest.compare_exchange_weak(seen, version);) {
        }
      }
    });
  }
  for (std::uint64_t version = 2; version <= 101; ++version) {
    home.adopt_favouring(version);
    while (newest < version) std::this_thread::yield();
  }
  done = true;
  clients.clear();
  CHECK(failed == 0);
  CHECK(mixed == 0);
}

TEST_CASE("an endpoint that ends answers what is whole and closes what is idle") {
  Home home;
  home.adopt(1);
  std::latch asked(1);
  std::latch answers(1);
  home.engine->on_predict = [&] {
    asked.count_down();
    answers.wait();
  };
  std::optional<DeviceEndpoint> endpoint(std::in_place, home.path(), home.settings());
  const DoorUnderTest door = door_of(*endpoint, 1);
  HttpClient idle(endpoint->address().port);
  HttpClient kept(endpoint->address().port);
  CHECK(kept.ask("GET", "/v2/health/live").status == 200);
  HttpClient waits(endpoint->address().port);
  HttpAnswer answer;
  std::jthread client([&] { answer = waits.ask("POST", "/v2/models/har/infer", door.fields, request); });
  asked.wait();
  CHECK_FALSE(endpoint->idle_since());
  std::jthread ending([&] { endpoint.reset(); });
  CHECK(idle.is_closed());
  CHECK(kept.is_closed());
  answers.count_down();
  client.join();
  CHECK(answer.status == 200);
  CHECK(answer.fields.at("connection") == "close");
  CHECK(waits.is_closed());
}

TEST_CASE("a device answers on loopback only and where nobody else does (I9)") {
  Home home;
  home.adopt(1);
  DeviceEndpoint::Settings settings = home.settings();
  for (const char* const host : {"0.0.0.0", "::", "192.0.2.1", "127.0.0.2", "example.org"}) {
    CAPTURE(host);
    settings.listen = {host, 0};
    CHECK(refusal(home.path(), settings) == ErrorCode::invalid_argument);
  }
  const DeviceEndpoint endpoint(home.path(), home.settings());
  settings.listen = {"127.0.0.1", endpoint.address().port};
  CHECK(refusal(home.path(), settings) == ErrorCode::unavailable);
  settings.listen = {"127.0.0.1", 0};
  CHECK(refusal(home.path() / "none", settings) == ErrorCode::not_found);
}

TEST_CASE("a key file that holds no key is refused by name (I9)") {
  Home home;
  home.adopt(1);
  write_file_atomically(home.path() / "serving.key", as_bytes("short\n"));
  CHECK(refusal(home.path(), home.settings()) == ErrorCode::invalid_data);
}

TEST_CASE("a version whose files are damaged gives way to the one before it") {
  Home home;
  home.adopt_favouring(1);
  home.adopt_favouring(2);
  const std::string newest = sha256(as_bytes(std::span<const float>(weights_favouring(2, 3, 2)))).hex();
  const fs::path part = home.path() / "models" / "har" / "parts" / newest;
  Bytes bytes = read_file(part);
  bytes.front() ^= std::byte{1};
  write_file_atomically(part, bytes);
  DeviceEndpoint::Settings settings = home.settings();
  std::atomic<int> damaged = 0;
  settings.on_event = [&](const AgentEvent& event) {
    if (event.kind == AgentEvent::Kind::model_damaged) ++damaged;
  };
  const DeviceEndpoint endpoint(home.path(), settings);
  const DoorUnderTest door = door_of(endpoint, 1);
  const auto answer =
      HttpClient(endpoint.address().port).ask("POST", "/v2/models/har/infer", door.fields, request);
  CHECK(boost::json::parse(answer.body).at("model_version") == boost::json::value("1"));
  CHECK(damaged == 1);
}

TEST_CASE("a damaged version that is adopted later leaves the one that answers") {
  Home home;
  home.adopt_favouring(1);
  DeviceEndpoint::Settings settings = home.settings();
  std::atomic<int> damaged = 0;
  settings.on_event = [&](const AgentEvent& event) {
    if (event.kind == AgentEvent::Kind::model_damaged) ++damaged;
  };
  const DeviceEndpoint endpoint(home.path(), settings);
  const DoorUnderTest door = door_of(endpoint, 1);
  home.engine->on_open = [] { throw Error(ErrorCode::invalid_data, "it does not open"); };
  home.adopt_favouring(2);
  while (damaged == 0) std::this_thread::yield();
  HttpClient client(endpoint.address().port);
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.ask("POST", "/v2/models/har/infer", door.fields, request);
    CHECK(boost::json::parse(answer.body).at("model_version") == boost::json::value("1"));
  }
  const std::string text = client.ask("GET", "/metrics", door.fields).body;
  CHECK(text.find(R"(fl_inference_requests_total{model="har",outcome="answered",version="1"} 3)") !=
        std::string::npos);
}

TEST_CASE("an endpoint answers on the socket that it is given") {
  Home home;
  home.adopt(1);
  boost::asio::io_context context;
  boost::asio::ip::tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), 0});
  DeviceEndpoint::Settings settings = home.settings();
  const std::uint16_t port = acceptor.local_endpoint().port();
  settings.socket = acceptor.release();
  const DeviceEndpoint endpoint(home.path(), settings);
  CHECK(endpoint.address().port == port);
  CHECK(HttpClient(port).ask("GET", "/v2/health/live").status == 200);

  boost::asio::ip::tcp::acceptor open_to_all(context, {boost::asio::ip::address_v4::any(), 0});
  settings.socket = open_to_all.release();
  CHECK(refusal(home.path(), settings) == ErrorCode::invalid_argument);
  settings.socket = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK(refusal(home.path(), settings) == ErrorCode::invalid_argument);
  ::close(*settings.socket);
}
