#include "common/net/connection.h"

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "tests/unit/net/loopback.h"

using namespace fl;
using namespace fl::test;
using net::Connection;

namespace {

constexpr auto limit = Loopback::limit;

flatbuffers::DetachedBuffer keep_alive() {
  return wire::make_message<wire::KeepAlive>(
      [](flatbuffers::FlatBufferBuilder& builder) { return wire::CreateKeepAlive(builder); });
}

}  // namespace

TEST_CASE("both ends know the protocol and each other from their certificates") {
  Loopback loopback;
  const Fleet fleet;
  const Pair pair(loopback, fleet);
  CHECK(pair.server->alpn() == "fl/1");
  CHECK(pair.device->alpn() == "fl/1");
  CHECK(pair.server->peer_certificate()->common_name() == "device-1");
  CHECK(pair.server->peer_authority()->fingerprint() == fleet.authority.certificate.fingerprint());
  CHECK(pair.device->peer_authority()->fingerprint() == fleet.authority.certificate.fingerprint());
  CHECK(pair.server->peer_address().starts_with("127.0.0.1:"));
  CHECK(pair.server->bytes_received() == pair.device->bytes_sent());
  CHECK(pair.device->bytes_received() == pair.server->bytes_sent());
}

TEST_CASE("messages go both ways") {
  Loopback loopback;
  const Pair pair(loopback, Fleet());
  loopback.run(
      [&]() -> Task<> {
        const wire::Message* message = co_await pair.server->read_message(limit);
        CHECK(std::string(wire::body_name(*message)) == "KeepAlive");
        co_await pair.server->write_message(keep_alive(), limit);
      },
      [&]() -> Task<> {
        co_await pair.device->write_message(keep_alive(), limit);
        const wire::Message* message = co_await pair.device->read_message(limit);
        CHECK(std::string(wire::body_name(*message)) == "KeepAlive");
      });
}
