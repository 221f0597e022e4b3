// How a device comes back to its server.

#include <doctest/doctest.h>

#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/test_device.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;

TEST_CASE("a device that comes back is known by a ticket the next time") {
  const Federation federation;
  std::vector<bool> resumed;
  const auto meet = [&](Peer& peer) -> Task<> {
    resumed.push_back(peer.connection().resumed());
    CHECK(peer.connection().peer_certificate()->common_name() == "device-1");
    co_await peer.begin(0);
  };
  FakeServer server(federation, {meet, meet, meet});
  TestDevice device(federation, server.endpoint());
  Agent agent(device.parts(), false);
  agent.start();
  server.finish();
  agent.stop();
  CHECK(resumed == std::vector<bool>{false, true, true});
}
