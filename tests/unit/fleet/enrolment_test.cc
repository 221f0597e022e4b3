#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"

using namespace fl;
using namespace fl::test;

namespace {

std::string refusal_of(const net::EnrolmentToken& token) {
  try {
    const ScriptedDevice device(token);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void ask_for_renewal(ScriptedDevice& device, ByteView request) {
  device.send(wire::make_message<wire::RenewRequest>([&](flatbuffers::FlatBufferBuilder& builder) {
    return wire::CreateRenewRequest(builder, wire::field_of(builder, request));
  }));
}

}  // namespace

TEST_CASE("a token makes one device a member and no second one") {
  TestServer server{RoundPlan()};
  const net::EnrolmentToken token = server.token();
  ScriptedDevice device(token);
  CHECK(device.id().size() == 17);
  device.connect(server.port());
  CHECK(refusal_of(token) == "the token has been used; each device needs one of its own");
}

TEST_CASE("an expired or invented token makes nobody a member (I9)") {
  TestServer server{RoundPlan()};
  CHECK(refusal_of(server.token(Milliseconds(-1))) == "the token has expired; ask the operator for another");
  net::EnrolmentToken invented = server.token();
  invented.secret.front() ^= std::byte{1};
  CHECK(refusal_of(invented) == "the token is not known here; ask the operator for another");
}

TEST_CASE("a device believes no server but the one whose fingerprint its token carries") {
  TestServer server{RoundPlan()};
  net::EnrolmentToken token = server.token();
  token.authority_fingerprint.bytes.front() ^= std::byte{1};
  CHECK(!refusal_of(token).empty());
  token.authority_fingerprint.bytes.front() ^= std::byte{1};
  CHECK(refusal_of(token).empty());
}

TEST_CASE("a revoked device is disconnected at once and not let in again") {
  TestServer server{RoundPlan()};
  ScriptedDevice device(server.token());
  device.connect(server.port());
  server.revoke(device.id());
  CHECK_THROWS_AS(device.receive(), Error);
  CHECK_THROWS_WITH_AS(device.connect(server.port()),
                       "unexpected Refusal: the device's certificate has been revoked", Error);
}

TEST_CASE("a device of another server is not let in") {
  TestServer server{RoundPlan()};
  TestServer other{RoundPlan()};
  ScriptedDevice device(other.token());
  CHECK_THROWS_AS(device.connect(server.port()), Error);
}

TEST_CASE("a certificate is renewed over an open connection, and not twice in a minute") {
  TestServer server{RoundPlan()};
  ScriptedDevice device(server.token());
  device.connect(server.port());
  const net::PrivateKey key = net::PrivateKey::generate();
  ask_for_renewal(device, net::make_request(key));
  const auto& reply = device.expect<wire::RenewReply>();
  CHECK(net::Certificate::from_der(wire::bytes_of(reply.certificate())).common_name() == device.id());
  ask_for_renewal(device, net::make_request(key));
  const auto& refusal = device.expect<wire::Refusal>();
  CHECK(refusal.code() == wire::RefusalCode::unexpected);
  CHECK_FALSE(refusal.closes());
}

TEST_CASE("a request for renewal that proves nothing renews nothing (I9)") {
  TestServer server{RoundPlan()};
  ScriptedDevice device(server.token());
  device.connect(server.port());
  ask_for_renewal(device, as_bytes("not a request"));
  CHECK(device.expect<wire::Refusal>().code() == wire::RefusalCode::malformed);
}
