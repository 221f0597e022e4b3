#include <doctest/doctest.h>

#include "common/base/bytes.h"
#include "common/net/enrolment_token.h"
#include "tests/e2e/members.h"
#include "tests/e2e/refusals.h"
#include "tests/unit/net/raw_tls.h"

using namespace fl;
using namespace fl::test;

namespace {

struct BadBytes {
  std::string bytes;  ///< After the handshake; the peer then says goodbye.
  const char* words;  ///< In the server's log.
};

/// A frame's header, whatever it says, and what follows it.
std::string frame(std::uint32_t length, char kind, const std::string& payload) {
  std::string bytes;
  for (unsigned shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(length >> shift & 0xffU);
  return bytes + kind + std::string(3, '\0') + payload;
}

net::Identity identity_of(const std::filesystem::path& home) {
  return client::DeviceHome::open(home).identity();
}

/// The alert by which the server ends a connection on which these bytes come.
int alert_after(const Federation& federation, const RawOptions& options, const std::string& bytes) {
  Loopback loopback;
  RawTls peer(loopback, {"127.0.0.1", federation.port()}, options);
  int alert = 0;
  loopback.run([&]() -> Task<> {
    const bool shaken = co_await peer.handshake();
    if (shaken && !bytes.empty()) co_await peer.write(as_bytes(bytes));
    alert = co_await peer.read_to_end();
  });
  return alert;
}

void send_and_leave(const Federation& federation, const RawOptions& options, const std::string& bytes) {
  Loopback loopback;
  RawTls peer(loopback, {"127.0.0.1", federation.port()}, options);
  loopback.run([&]() -> Task<> {
    co_await peer.handshake();
    co_await peer.write(as_bytes(bytes));
    co_await peer.say_goodbye();
  });
}

void point_at(const std::filesystem::path& home, std::uint16_t old_port, std::uint16_t port) {
  std::string text = read_text_file(home / "device.json", 65536);
  const std::string address = "127.0.0.1:" + std::to_string(old_port);
  text.replace(text.find(address), address.size(), "127.0.0.1:" + std::to_string(port));
  write_file_atomically(home / "device.json", as_bytes(text), FileMode::secret);
}

}  // namespace

TEST_CASE("frames that are malformed or oversized or cut off cost the server one connection each (I8)") {
  Federation::Settings settings;
  settings.rounds = 1;
  Federation federation(settings);
  federation.start_server();
  federation.enrol(0);
  federation.enrol(1);
  const net::Identity identity = identity_of(federation.device_home(0));
  for (const BadBytes& bad :
       {BadBytes{frame(4, 9, "kind"),
                 "a frame's kind must be 1 (message), 2 (chunk) or 3 (compressed chunk)"},
        BadBytes{frame(64U << 20U, 1, "much"), "a frame announces a payload over the limit"},
        BadBytes{frame(4, 1, "what"), "does not verify"},
        BadBytes{frame(100, 1, "only this"), "closed inside a frame, which was cut off"}}) {
    CAPTURE(bad.words);
    send_and_leave(federation, {.identity = &identity}, bad.bytes);
    CHECK(contains(federation.server().wait_for_line(bad.words), " warning "));
  }
  federation.start_device(0);
  federation.start_device(1);
  federation.wait_for_version(2);
  CHECK(federation.stop_server().exit_code == 0);
}

TEST_CASE("a peer that speaks TLS 1.2 alone is refused and the log says so (I8)") {
  Federation federation({});
  federation.start_server();
  CHECK(alert_after(federation, {.version = TLS1_2_VERSION}, "") == SSL_AD_PROTOCOL_VERSION);
  federation.server().wait_for_line("the peer offers no TLS 1.3");
}

TEST_CASE("a certificate of another authority is refused on both sides (I8)") {
  Federation federation({});
  federation.start_server();
  const Fleet elsewhere;
  CHECK(alert_after(federation, {.identity = &elsewhere.device}, "") == SSL_AD_UNKNOWN_CA);
  federation.server().wait_for_line("was not issued by this server's authority");

  federation.enrol_with(0, {});
  const std::filesystem::path home = federation.device_home(0);
  elsewhere.device.certificate.save(home / "identity-1" / "device.pem");
  elsewhere.device.key.save(home / "identity-1" / "device.key");
  check_refused("fl-client", {"sync", home.string()}, {"it was issued by another authority"});
  federation.server().wait_for_line("was not issued by this server's authority");
}

TEST_CASE("a device believes no server but the one it has enrolled with (I8)") {
  Federation federation({});
  Federation another({});
  federation.start_server();
  another.start_server();
  federation.enrol_with(0, {});
  const std::filesystem::path home = federation.device_home(0);
  point_at(home, federation.port(), another.port());
  check_refused("fl-client", {"sync", home.string()}, {"is not issued by the pinned authority"});

  net::EnrolmentToken token = net::EnrolmentToken::parse(federation.token());
  token.server.port = another.port();
  const std::string fresh = federation.device_home(1).string();
  check_refused("fl-client", {"enroll", fresh, "--token", token.text()}, {"this is another server"});
  CHECK(!std::filesystem::exists(fresh));

  point_at(home, another.port(), federation.port());
  output_of("fl-client", {"sync", home.string()});
}

TEST_CASE("a device that the operator revokes is shut out at once and told why (I8)") {
  Federation federation({});
  federation.start_server();
  federation.enrol_with(0, {});
  const std::string server = federation.server_home().string();
  const std::string home = federation.device_home(0).string();
  const std::string id = json_of("fl-client", {"status", home}).at("device").as_string().c_str();
  federation.start_device(0);
  federation.device(0).wait_for_line("connected to");
  output_of("fl-server", {"devices", "revoke", server, id});
  federation.device(0).wait_for_line("the device's certificate has been revoked");
  federation.kill_device(0);
  check_refused("fl-client", {"sync", home}, {"the device's certificate has been revoked"});
  CHECK(json_of("fl-server", {"devices", "list", server}).at(0).at("revoked") == true);
}
