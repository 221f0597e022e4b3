#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/net/loopback.h"
#include "tests/unit/net/raw_tls.h"

using namespace fl;
using namespace fl::test;
using net::Connection;
using net::TlsContext;

namespace {

/// What the server found of a device that connected.
struct Met {
  bool resumed = false;
  std::string device;
  std::string serial;
};

/// A device connects, hears a word, with which its ticket comes, and leaves.
Met meet(Loopback& loopback, const TlsContext& server_tls, const TlsContext& device_tls) {
  Met met;
  loopback.run(
      [&]() -> Task<> {
        const std::unique_ptr<Connection> server = co_await loopback.accept(server_tls);
        met = {server->resumed(), server->peer_certificate()->common_name(),
               server->peer_certificate()->serial()};
        co_await server->write_chunk(as_bytes(std::string("word")), Loopback::limit);
        co_await failure_of(server->read_frame(Loopback::limit));
      },
      [&]() -> Task<> {
        const std::unique_ptr<Connection> device = co_await loopback.connect(device_tls);
        device->set_limits(0, limits::chunk_bytes);
        co_await device->read_frame(Loopback::limit);
        CHECK(device->resumed() == met.resumed);
        CHECK(device->peer_certificate()->common_name() == "127.0.0.1");
      });
  return met;
}

/// How many tickets a server gives a client of another make that shakes hands like this.
int tickets_for(const Fleet& fleet, const RawOptions& options) {
  Loopback loopback;
  RawTls raw(loopback, options);
  static int tickets;  // OpenSSL's callback has no other place to count
  tickets = 0;
  SSL_CTX_sess_set_new_cb(raw.context(), [](SSL*, SSL_SESSION*) {
    ++tickets;
    return 0;
  });
  loopback.run([&]() -> Task<> { co_await loopback.accept(fleet.server_context()); },
               [&]() -> Task<> {
                 CHECK(co_await raw.handshake());
                 co_await raw.read_to_end();
               });
  return tickets;
}

}  // namespace

TEST_CASE("a device that comes back is known by its ticket and shows the same certificate") {
  Loopback loopback;
  const Fleet fleet;
  const TlsContext server = fleet.server_context();
  const TlsContext device = fleet.device_context();
  CHECK_FALSE(meet(loopback, server, device).resumed);
  for (int i = 0; i < 3; ++i) {
    const Met again = meet(loopback, server, device);
    CHECK(again.resumed);
    CHECK(again.device == "device-1");
    CHECK(again.serial == fleet.device.certificate.serial());
  }
}

TEST_CASE("a ticket is good once and for one connection") {
  Loopback loopback;
  const Fleet fleet;
  const TlsContext server = fleet.server_context();
  const TlsContext device = fleet.device_context();
  meet(loopback, server, device);
  std::vector<bool> resumed;
  const auto accept = [&]() -> Task<> {
    const std::unique_ptr<Connection> connection = co_await loopback.accept(server);
    resumed.push_back(connection->resumed());
  };
  const auto connect = [&]() -> Task<> { co_await loopback.connect(device); };
  loopback.run(accept, connect, accept, connect);
  CHECK(std::count(resumed.begin(), resumed.end(), true) == 1);
  CHECK(resumed.size() == 2);
}

TEST_CASE("tickets are a context's own: those of another server or device are passed over") {
  Loopback loopback;
  const Fleet fleet;
  const TlsContext device = fleet.device_context();
  meet(loopback, fleet.server_context(), device);
  CHECK_FALSE(meet(loopback, fleet.server_context(), device).resumed);  // as after a restart
  const TlsContext server = fleet.server_context();
  meet(loopback, server, device);
  CHECK_FALSE(meet(loopback, server, fleet.device_context()).resumed);
  CHECK(meet(loopback, server, device).resumed);
}

TEST_CASE("a device with a ticket refuses a server of another authority all the same") {
  Loopback loopback;
  const Fleet ours;
  const Fleet theirs;
  const TlsContext device = ours.device_context();
  meet(loopback, ours.server_context(), device);
  std::optional<Error> error;
  loopback.run([&]() -> Task<> { co_await failure_of(loopback.accept(theirs.server_context())); },
               [&]() -> Task<> { error = co_await failure_of(loopback.connect(device)); });
  CHECK(says(error, ErrorCode::unauthenticated, "not issued by the pinned authority"));
}

TEST_CASE("a ticket does not outlive the certificate of its device (I8)") {
  Loopback loopback;
  const Fleet fleet;
  const TlsContext server = fleet.server_context();
  constexpr auto lifetime = 24h;
  const net::Identity identity = fleet.make_device("old", {SystemClock().now() - lifetime + 3s, lifetime});
  const TlsContext device = TlsContext::for_device(identity, fleet.authority.certificate);
  CHECK_FALSE(meet(loopback, server, device).resumed);
  CHECK(meet(loopback, server, device).resumed);
  std::optional<Error> end;
  while (!end && SystemClock().now() < identity.certificate.not_after() + 20s) {
    end = error_of([&] { meet(loopback, server, device); });
  }
  CHECK(says(end, ErrorCode::unauthenticated, "the peer's certificate has expired"));
}

TEST_CASE("a server gives one ticket to who has shown a certificate and none to who enrols") {
  const Fleet fleet;
  CHECK(tickets_for(fleet, {.identity = &fleet.device}) == 1);
  CHECK(tickets_for(fleet, {.alpn = "\x0b"
                                    "fl-enroll/1"}) == 0);
  CHECK(tickets_for(fleet, {.alpn = "\x0b"
                                    "fl-enroll/1",
                            .identity = &fleet.device}) == 0);
}
