// Devices that come back to a server and are known there by a ticket.

#include <doctest/doctest.h>

#include "protocol/limits.h"
#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

using namespace fl;
using namespace fl::test;

TEST_CASE("a device that comes back by a ticket is the same device and takes part") {
  TestServer server{RoundPlan()};
  ScriptedDevice device(server.token());
  device.connect(server.port());
  CHECK_FALSE(device.resumed());
  for (int i = 0; i < 3; ++i) {
    device.connect(server.port());
    CHECK(device.resumed());
  }
  device.subscribe(1);
  CHECK(device.expect<wire::Subscribed>().version() == 1);
  CHECK(server.figure(R"(fl_connections{peer="device"})") == 1);
}

TEST_CASE("a revoked device is refused though it comes back by a ticket (I8)") {
  TestServer server{RoundPlan()};
  ScriptedDevice device(server.token());
  device.connect(server.port());
  device.disconnect();
  server.revoke(device.id());
  device.connect(server.port(), false);
  CHECK(device.resumed());
  device.send(wire::make_message<wire::Hello>([](flatbuffers::FlatBufferBuilder& builder) {
    return wire::CreateHello(builder, limits::protocol_version_min, limits::protocol_version_max);
  }));
  CHECK(device.expect<wire::Refusal>().code() == wire::RefusalCode::revoked);
}

TEST_CASE("a restarted server knows no tickets of before and lets devices in all the same") {
  TestServer server{RoundPlan()};
  ScriptedDevice device(server.token());
  device.connect(server.port());
  server.stop();
  server.start();
  device.connect(server.port());
  CHECK_FALSE(device.resumed());
  device.connect(server.port());
  CHECK(device.resumed());
}
