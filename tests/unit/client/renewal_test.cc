// How a device renews its certificate, and what it does not take for one.

#include <doctest/doctest.h>

#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/test_device.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using Kind = AgentEvent::Kind;

namespace {

net::Certificate issue(const Federation& federation, ByteView request, const std::string& device) {
  return net::issue_device(federation.authority, request, device,
                           federation.validity(std::chrono::hours(40)));
}

Task<> send_certificate(Peer& peer, net::Certificate certificate) {
  auto reply = wire::make_message<wire::RenewReply>([&](flatbuffers::FlatBufferBuilder& builder) {
    return wire::CreateRenewReply(builder, wire::field_of(builder, certificate.to_der()));
  });
  co_await peer.send(std::move(reply));
}

ByteView request_in(const Received& received) {
  return wire::bytes_of(received.as<wire::RenewRequest>().certificate_request());
}

/// A device whose certificate is to be renewed at once, until every script has ended and it has told of
/// `kind`.
struct Renewing {
  Renewing(const Federation& federation, FakeServer& server)
      : device(federation, server.endpoint(), std::chrono::hours(1)),
        serial(device.home.identity().certificate.serial()) {}

  std::string run(FakeServer& server, Kind kind) {
    Agent agent(device.parts(), false);
    agent.start();
    server.finish();
    const std::string sentence = device.events.wait_for(kind);
    agent.stop();
    return sentence;
  }

  std::string serial_now() const { return device.home.identity().certificate.serial(); }

  TestDevice device;
  std::string serial;
};

}  // namespace

TEST_CASE("a certificate is renewed after half of its life and the new one used from then on") {
  const Federation federation;
  std::string serial;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                                   co_await peer.begin(0);
                                   const Received received = co_await peer.expect<wire::RenewRequest>();
                                   const auto fresh = issue(federation, request_in(received), "device-1");
                                   serial = fresh.serial();
                                   co_await send_certificate(peer, fresh);
                                   co_await peer.later("har", 1);  // still the same conversation
                                 },
                                 [&](Peer& peer) -> Task<> {
                                   CHECK(peer.connection().peer_certificate()->serial() == serial);
                                   CHECK_FALSE(peer.connection().resumed());
                                   co_await peer.begin(0);
                                 }});
  Renewing renewing(federation, server);
  renewing.run(server, Kind::certificate_renewed);
  CHECK(renewing.device.events.count(Kind::certificate_renewed) == 1);
  CHECK(DeviceHome::open(renewing.device.folder / "home").identity().certificate.serial() == serial);
}

TEST_CASE("a renewal that is refused leaves the old certificate and the connection") {
  const Federation federation;
  const PublishedVersion version = federation.publish("har", 1, 0);
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.begin(0);
                      co_await peer.expect<wire::RenewRequest>();
                      co_await peer.refuse(wire::RefusalCode::internal, false);
                      co_await peer.notice(version);
                      co_await peer.serve(version, 2);
                    }});
  Renewing renewing(federation, server);
  renewing.run(server, Kind::version_adopted);
  CHECK(renewing.serial_now() == renewing.serial);
  CHECK(renewing.device.events.wait_for(Kind::trouble).find("not renewed") != std::string::npos);
}

TEST_CASE("a renewed certificate for another key is not taken") {
  const Federation federation;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.begin(0);
                      co_await peer.expect<wire::RenewRequest>();
                      const Bytes request = net::make_request(net::PrivateKey::generate());
                      co_await send_certificate(peer, issue(federation, request, "device-1"));
                    }});
  Renewing renewing(federation, server);
  CHECK(renewing.run(server, Kind::trouble).find("is for another key") != std::string::npos);
  CHECK(renewing.serial_now() == renewing.serial);
}

TEST_CASE("a renewed certificate for another device is not taken") {
  const Federation federation;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      co_await peer.begin(0);
                      const Received received = co_await peer.expect<wire::RenewRequest>();
                      co_await send_certificate(peer, issue(federation, request_in(received), "device-2"));
                    }});
  Renewing renewing(federation, server);
  CHECK(renewing.run(server, Kind::trouble).find("another device") != std::string::npos);
  CHECK(renewing.serial_now() == renewing.serial);
}
