#include "server/serving/server_endpoint.h"

#include <memory>
#include <thread>

#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <spdlog/sinks/null_sink.h>

#include "common/base/error.h"
#include "server/ledger/blob_store.h"
#include "server/ledger/ledger.h"
#include "server/registry/registry.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/client/linear_engine.h"
#include "tests/unit/serving/conformance.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;
using namespace std::chrono_literals;

namespace {

/// A server's home with the task "har", and what its server does there.
class Home {
 public:
  Home()
      : home_(ServerHome::create(folder_ / "home", settings(), SystemClock().now())),
        ledger_(home_.ledger_path()),
        blobs_(home_.blobs_path()),
        registry_(ledger_, blobs_, home_.signing_key()) {
    Weights weights(9, 0.0F);
    weights.front() = 1.0F;  // the first output is the first input, the others are 0
    TaskRecord task;
    task.name = "har";
    task.contract = linear_contract(2, 3);
    task.layout = linear_layout(2, 3);
    const Bytes archive = linear_archive(2, 3, weights);
    task.archive_hash = blobs_.put(archive);
    task.archive_bytes = archive.size();
    registry_.add_task(task, weights, SystemClock().now());
  }

  static ServerConfig settings() {
    ServerConfig config;
    config.public_host = "127.0.0.1";
    return config;
  }

  void add_key(const std::string& name) {
    ledger_.add_inference_key({name, sha256(as_bytes("key of " + name)), {}, 1'000'000, {}});
  }
  void remove_key(const std::string& name) { ledger_.remove_inference_key(name); }
  /// Publishes up to this version.
  void publish(std::uint64_t version) { registry_.publish_again("har", version, SystemClock().now()); }

  std::unique_ptr<ServerEndpoint> open() {
    const auto silent =
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
    return std::make_unique<ServerEndpoint>(
        home_, ServerEndpoint::Settings{{"127.0.0.1", 0}, 1, 1ms, [engine = engine] { return engine; }},
        silent);
  }

  /// How a client speaks to it that trusts the home's authority.
  std::shared_ptr<ssl_ctx_st> trust() const {
    std::shared_ptr<ssl_ctx_st> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX_load_verify_locations(context.get(), (home_.folder() / "authority.pem").c_str(), nullptr);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    return context;
  }

  std::shared_ptr<LinearEngine> engine = std::make_shared<LinearEngine>();

 private:
  TemporaryFolder folder_;
  ServerHome home_;
  Ledger ledger_;
  BlobStore blobs_;
  Registry registry_;
};

std::uint16_t await_port(const ServerEndpoint& door) {
  while (!door.port()) std::this_thread::yield();
  return *door.port();
}

DoorUnderTest door_of(const Home& home, const ServerEndpoint& door, std::uint64_t version) {
  const DoorUnderTest made{await_port(door), {{"Authorization", "Bearer key of shop"}},
                           "fl-server",      version,
                           "server",         home.trust()};
  HttpClient client(made.port, made.tls);
  while (client.ask("GET", "/v2/health/ready").status != 200) std::this_thread::yield();
  return made;
}

/// The version that answers to a target.
std::string version_at(const DoorUnderTest& door, const std::string& target) {
  const std::string request = R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]})";
  HttpClient client(door.port, door.tls);
  HttpAnswer answer = client.ask("POST", target, door.fields, request);
  while (answer.status == 503) answer = client.ask("POST", target, door.fields, request);
  if (answer.status != 200) return std::to_string(answer.status) + answer.body;
  return boost::json::parse(answer.body).at("model_version").as_string().c_str();
}

}  // namespace

TEST_CASE("a server's endpoint speaks the Open Inference Protocol") {
  Home home;
  home.add_key("shop");
  const auto opened = home.open();
  check_conformance(door_of(home, *opened, 1));
}

TEST_CASE("a server listens and loads an engine while there is a key and no longer") {
  Home home;
  const auto opened = home.open();
  CHECK_FALSE(opened->port());
  CHECK(home.engine->opened == 0);
  home.add_key("shop");
  const DoorUnderTest door = door_of(home, *opened, 1);
  CHECK(version_at(door, "/v2/models/har/infer") == "1");
  home.remove_key("shop");
  while (opened->port()) std::this_thread::yield();
  CHECK_THROWS(HttpClient(door.port, door.tls));
  home.add_key("shop");
  CHECK(version_at(door_of(home, *opened, 1), "/v2/models/har/infer") == "1");
}

TEST_CASE("the newest version answers and any other by its number (I7)") {
  Home home;
  home.add_key("shop");
  const auto opened = home.open();
  const DoorUnderTest door = door_of(home, *opened, 1);
  home.publish(7);
  while (version_at(door, "/v2/models/har/infer") != "7") std::this_thread::yield();
  for (std::uint64_t version = 1; version <= 7; ++version) {
    const std::string number = std::to_string(version);
    CHECK(version_at(door, "/v2/models/har/versions/" + number + "/infer") == number);
  }
  CHECK(version_at(door, "/v2/models/har/versions/8/infer").starts_with("404"));
}

TEST_CASE("a client that speaks other protocols or an older TLS is turned away") {
  Home home;
  home.add_key("shop");
  const auto opened = home.open();
  const DoorUnderTest door = door_of(home, *opened, 1);
  const auto offer = [&](const std::string& protocols) {
    auto tls = home.trust();
    SSL_CTX_set_alpn_protos(tls.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned>(protocols.size()));
    return tls;
  };
  CHECK(HttpClient(door.port, offer("\x02h2\x08http/1.1")).ask("GET", "/v2/health/live").status == 200);
  CHECK_THROWS(HttpClient(door.port, offer("\x02h2")));
  auto old = home.trust();
  SSL_CTX_set_max_proto_version(old.get(), TLS1_2_VERSION);
  CHECK_THROWS(HttpClient(door.port, old));
  CHECK_THROWS(HttpClient(door.port).ask("GET", "/v2/health/live"));
}

TEST_CASE("metrics tell what was answered by version") {
  Home home;
  home.add_key("shop");
  const auto opened = home.open();
  const DoorUnderTest door = door_of(home, *opened, 1);
  CHECK(version_at(door, "/v2/models/har/infer") == "1");
  CHECK(opened->metrics().find(
            R"(fl_inference_requests_total{model="har",outcome="answered",version="1"} 1)") !=
        std::string::npos);
  CHECK(HttpClient(door.port, door.tls).ask("GET", "/metrics", door.fields).status == 404);
}
