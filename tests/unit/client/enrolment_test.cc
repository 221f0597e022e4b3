#include "client/agent/enrolment.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/net/enrolment_token.h"
#include "protocol/limits.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/client/examples.h"
#include "tests/unit/client/fake_server.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
namespace fs = std::filesystem;

namespace {

std::string token_for(const FakeServer& server, const Federation& federation) {
  return net::EnrolmentToken{server.endpoint(), federation.authority.certificate.fingerprint(),
                             Bytes(32, std::byte{7})}
      .text();
}

/// What a server answers to an enrolment.
struct Answer {
  std::string device_id = "device-7";
  std::string name_in_certificate = "device-7";
  std::size_t signing_key_bytes = 32;
};

Task<> admit(Peer& peer, const Federation& federation, Answer answer, std::string* name) {
  peer.connection().set_limits(limits::message_bytes, 0);
  const Received received = co_await peer.expect<wire::EnrolRequest>();
  const auto& request = received.as<wire::EnrolRequest>();
  if (name != nullptr) *name = wire::text_of(request.name());
  const net::Certificate certificate =
      net::issue_device(federation.authority, wire::bytes_of(request.certificate_request()),
                        answer.name_in_certificate, federation.validity(std::chrono::hours(24)));
  auto reply = wire::make_message<wire::EnrolReply>([&](flatbuffers::FlatBufferBuilder& builder) {
    const auto id = builder.CreateString(answer.device_id);
    const auto der = wire::field_of(builder, certificate.to_der());
    const PublicKey key = federation.signing_key.public_key();
    return wire::CreateEnrolReply(
        builder, id, der, wire::field_of(builder, ByteView(key.bytes).first(answer.signing_key_bytes)));
  });
  co_await peer.send(std::move(reply));
}

/// Enrols with a server that plays `script`, and gives the code of the error; the folder must not be made.
ErrorCode failure_of(const Federation& federation, const FakeServer::Script& script) {
  const TemporaryFolder folder;
  FakeServer server(federation, {script});
  const std::string token = token_for(server, federation);
  const ErrorCode code = code_thrown_by([&] { enrol(folder / "home", token, "kitchen"); });
  CHECK_FALSE(fs::exists(folder / "home"));
  return code;
}

}  // namespace

TEST_CASE("enrolling makes a home with a certificate for a key that was made here") {
  const TemporaryFolder folder;
  const Federation federation;
  std::string name;
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      CHECK_FALSE(peer.connection().peer_certificate());
                      co_await admit(peer, federation, Answer(), &name);
                    }});
  const DeviceHome home = enrol(folder / "home", " " + token_for(server, federation) + "\n", "kitchen");
  server.finish();
  CHECK(name == "kitchen");
  CHECK(home.settings().device == "device-7");
  CHECK(home.settings().server.text() == server.endpoint().text());
  CHECK(home.settings().signing_key == federation.signing_key.public_key());
  CHECK(home.authority().fingerprint() == federation.authority.certificate.fingerprint());
  CHECK(home.identity().certificate.common_name() == "device-7");
}

TEST_CASE("text that is no token or is cut off is refused before anything is made") {
  const TemporaryFolder folder;
  const Federation federation;
  const FakeServer server(federation, {});
  const std::string token = token_for(server, federation);
  for (const std::string& text : {std::string(), std::string("hello"), token.substr(0, token.size() - 3)}) {
    CHECK(code_thrown_by([&] { enrol(folder / "home", text, "kitchen"); }) == ErrorCode::invalid_argument);
  }
  CHECK(code_thrown_by([&] { enrol(folder / "home", token, std::string(65, 'x')); }) ==
        ErrorCode::invalid_argument);
  CHECK_FALSE(fs::exists(folder / "home"));
}

TEST_CASE("a token that the server refuses leaves nothing behind") {
  const Federation federation;
  CHECK(failure_of(federation, [](Peer& peer) -> Task<> {
          peer.connection().set_limits(limits::message_bytes, 0);
          co_await peer.expect<wire::EnrolRequest>();
          co_await peer.refuse(wire::RefusalCode::token, true);
        }) == ErrorCode::unauthenticated);
}

TEST_CASE("a server that is not the one the token names is not told the secret") {
  const TemporaryFolder folder;
  const Federation federation;
  const Federation stranger;
  FakeServer server(stranger, {[](Peer&) -> Task<> { co_return; }});
  const std::string token = token_for(server, federation);
  CHECK(code_thrown_by([&] { enrol(folder / "home", token, "kitchen"); }) == ErrorCode::unauthenticated);
  CHECK_FALSE(fs::exists(folder / "home"));
}

TEST_CASE("an admission that does not hold together is refused") {
  const Federation federation;
  const auto code_for = [&](const Answer& answer) {
    return failure_of(federation,
                      [&](Peer& peer) -> Task<> { co_await admit(peer, federation, answer, nullptr); });
  };
  CHECK(code_for({.device_id = "device-8"}) == ErrorCode::protocol);
  CHECK(code_for({.device_id = "", .name_in_certificate = "device-8"}) == ErrorCode::protocol);
  CHECK(code_for({.signing_key_bytes = 31}) == ErrorCode::invalid_data);
}

TEST_CASE("a server that is not there leaves nothing behind") {
  const TemporaryFolder folder;
  const Federation federation;
  std::string token;
  {
    const FakeServer server(federation, {});
    token = token_for(server, federation);
  }
  CHECK(code_thrown_by([&] { enrol(folder / "home", token, "kitchen"); }) == ErrorCode::unavailable);
  CHECK_FALSE(fs::exists(folder / "home"));
}

TEST_CASE("a device that is enrolled is not enrolled again in the same folder") {
  const TemporaryFolder folder;
  const Federation federation;
  FakeServer server(federation, {});
  federation.make_home(folder / "home", server.endpoint());
  const std::string token = token_for(server, federation);
  CHECK(code_thrown_by([&] { enrol(folder / "home", token, "kitchen"); }) == ErrorCode::already_exists);
  CHECK(DeviceHome::open(folder / "home").settings().device == "device-1");
}
