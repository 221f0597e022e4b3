#include <algorithm>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"
#include "tests/unit/net/faults.h"

using namespace fl;
using namespace fl::test;
using boost::asio::ip::tcp;

namespace {

/// Connections that say nothing.
class Silent {
 public:
  Silent(const TestServer& server, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      sockets_.emplace_back(context_);
      sockets_.back().connect({boost::asio::ip::address_v4::loopback(), server.port()});
    }
  }

 private:
  boost::asio::io_context context_;
  std::vector<tcp::socket> sockets_;
};

/// What a device is told in place of being welcomed; empty where it is welcome, or nobody answers.
std::string objection_to(ScriptedDevice& device, std::uint16_t port) {
  try {
    device.connect(port, false);
    device.send(wire::make_message<wire::Hello>(
        [](flatbuffers::FlatBufferBuilder& builder) { return wire::CreateHello(builder, 1, 1); }));
    const wire::Refusal* refusal = device.receive().body_as_Refusal();
    return refusal == nullptr ? "" : std::string(wire::text_of(refusal->sentence()));
  } catch (const Error&) {
    return "";
  }
}

std::size_t lines_with(TestServer& server, const std::string& words) {
  const std::vector<std::string> lines = server.log_lines();
  return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.find(words) != std::string::npos;
  }));
}

/// Connects again and again until the server takes it, as a device's agent does.
void connect_in_the_end(ScriptedDevice& device, std::uint16_t port) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (;;) {
    try {
      return device.connect(port);
    } catch (const Error&) {
      if (std::chrono::steady_clock::now() > limit) throw;
    }
  }
}

}  // namespace

TEST_CASE("peers that say nothing shut no device out and disturb none that is connected (I8)") {
  server::ServerConfig config;
  config.max_handshakes = config.max_address_handshakes = 8;
  config.address_connections_per_minute = 10'000'000;
  TestServer server(RoundPlan(), config);
  ScriptedDevice connected(server.token());
  ScriptedDevice newcomer(server.token());
  connected.connect(server.port());
  const Silent silent(server, 40);
  server.await_figure("fl_connections_total", 43);
  CHECK(server.figure(R"(fl_connections{peer="unauthenticated"})") == 8);
  CHECK(server.figure(R"(fl_refusals_total{reason="address_share",stage="arrival"})").value_or(0) > 0);
  connect_in_the_end(newcomer, server.port());
  CHECK(server.figure(R"(fl_refusals_total{reason="made_way",stage="handshake"})").value_or(0) > 0);
  CHECK(server.figure(R"(fl_connections{peer="device"})") == 2);
  connected.subscribe(1);
  connected.expect<wire::Subscribed>();
}

TEST_CASE("lines about refused connections are bounded and what was left out is said and counted") {
  server::ServerConfig config;
  config.address_connections_per_minute = 1;
  TestServer server(RoundPlan(), config);
  const Silent silent(server, 301);
  server.await_figure(R"(fl_refusals_total{reason="address_rate",stage="arrival"})", 300);
  CHECK(lines_with(server, "closed at once: more connections came from this address") == 20);
  CHECK(server.figure("fl_log_lines_left_out_total") == 280);
  server.drain();
  CHECK(lines_with(server, "280 more refusals were not logged one by one") == 1);
}

TEST_CASE("a device beyond max-connections is told so and one that comes back takes its own place") {
  server::ServerConfig config;
  config.max_connections = 1;
  TestServer server(RoundPlan(), config);
  ScriptedDevice first(server.token());
  ScriptedDevice second(server.token());
  first.connect(server.port());
  CHECK(objection_to(second, server.port()) ==
        "the server has as many devices as it takes (max-connections = 1); come back later");
  CHECK(server.figure(R"(fl_refusals_total{reason="connections_full",stage="session"})") == 1);
  first.connect(server.port());
}

TEST_CASE("a device that connects too often is told so and another is not") {
  server::ServerConfig config;
  config.device_connections_per_minute = 3;
  TestServer server(RoundPlan(), config);
  ScriptedDevice device(server.token());
  ScriptedDevice other(server.token());
  for (int i = 0; i < 3; ++i) device.connect(server.port());
  CHECK(objection_to(device, server.port()) == "a device may connect 3 times a minute; come back later");
  CHECK(server.figure(R"(fl_refusals_total{reason="device_rate",stage="session"})") == 1);
  other.connect(server.port());
}

TEST_CASE("a device that says too much is heard as much later and is not turned away") {
  TestServer server{RoundPlan()};
  ScriptedDevice device(server.token());
  device.connect(server.port());
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 6200; ++i) {
    device.send(wire::make_message<wire::KeepAlive>(
        [](flatbuffers::FlatBufferBuilder& builder) { return wire::CreateKeepAlive(builder); }));
  }
  device.subscribe(1);
  device.expect<wire::Subscribed>();
  // 6000 messages at once, then 100 a second.
  CHECK(std::chrono::steady_clock::now() - begun > std::chrono::milliseconds(1900));
}

TEST_CASE("an address that connects too often is refused before any cryptography is spent on it") {
  server::ServerConfig config;
  config.address_connections_per_minute = 2;
  TestServer server(RoundPlan(), config);
  ScriptedDevice device(server.token());
  device.connect(server.port());
  const auto refused = error_of([&] { device.connect(server.port()); });
  CHECK(says(refused, ErrorCode::unavailable, "the peer cannot serve us now; try again later"));
  CHECK(server.figure(R"(fl_refusals_total{reason="address_rate",stage="arrival"})") == 1);
  CHECK(server.figure("fl_handshake_seconds_count") == 2);
}
