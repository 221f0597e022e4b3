#include <atomic>
#include <future>
#include <list>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include "common/base/random.h"
#include "common/net/connection.h"
#include "tests/unit/net/loopback.h"
#include "tests/unit/net/raw_tls.h"

using namespace fl;
using namespace fl::test;
using net::Connection;
using net::TlsContext;

namespace {

/// What both sides find of a connection that should not come to be.
struct Verdicts {
  std::optional<Error> server;
  std::optional<Error> device;
};

Task<> accept_only(Loopback& loopback, TlsContext tls) {
  const std::unique_ptr<Connection> connection = co_await loopback.accept(tls);
  co_await connection->read_frame(Loopback::limit);
}

// In TLS 1.3 a device learns only by reading what the server thinks of its certificate.
Task<> connect_and_read(Loopback& loopback, TlsContext tls) {
  const std::unique_ptr<Connection> connection = co_await loopback.connect(tls);
  co_await connection->read_frame(Loopback::limit);
}

Verdicts meet(const TlsContext& server, const TlsContext& device) {
  Loopback loopback;
  Verdicts verdicts;
  loopback.run(
      [&]() -> Task<> { verdicts.server = co_await failure_of(accept_only(loopback, server)); },
      [&]() -> Task<> { verdicts.device = co_await failure_of(connect_and_read(loopback, device)); });
  return verdicts;
}

/// The server's error and the alert it sent to a client of another make.
std::pair<std::optional<Error>, int> meet_raw(const Fleet& fleet, const RawOptions& options) {
  Loopback loopback;
  std::optional<Error> error;
  int alert = 0;
  RawTls raw(loopback, options);
  loopback.run(
      [&]() -> Task<> { error = co_await failure_of(accept_only(loopback, fleet.server_context())); },
      [&]() -> Task<> {
        co_await raw.handshake();
        alert = co_await raw.read_to_end();
      });
  return {error, alert};
}

/// The server's error at a peer that sends these bytes; returns after the peer has seen the connection
/// closed.
std::optional<Error> meet_bytes(const Fleet& fleet, std::string bytes) {
  Loopback loopback;
  std::optional<Error> error;
  RawTls raw(loopback, {});
  loopback.run(
      [&]() -> Task<> { error = co_await failure_of(accept_only(loopback, fleet.server_context())); },
      [&]() -> Task<> {
        co_await raw.connect();
        co_await raw.write_plain(bytes);
        co_await raw.read_to_end();
      });
  return error;
}

constexpr auto limit = Loopback::limit;
constexpr auto unauthenticated = ErrorCode::unauthenticated;

}  // namespace

TEST_CASE("plain HTTP on the TLS port costs one closed connection and says so (I9)") {
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\n" + std::string(10240, 'a') + "\r\n\r\n";
  CHECK(says(meet_bytes(Fleet(), request), unauthenticated, "does not speak TLS: it sent plain HTTP"));
}

TEST_CASE("plain text on the TLS port is refused as such (I9)") {
  CHECK(says(meet_bytes(Fleet(), "hello there, is this fl?\r\n" + std::string(10240, 'b')), unauthenticated,
             "does not speak TLS"));
}

TEST_CASE("random bytes on the TLS port are refused (I8)") {
  Random random(1);
  const Fleet fleet;
  for (int round = 0; round < 50; ++round) {
    std::string bytes(20 + random.below(2000), ' ');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (random.below(2) == 0) bytes.replace(0, 5, std::string("\x16\x03\x01\x00\x10", 5));
    const auto error = meet_bytes(fleet, bytes);
    REQUIRE(error);
    CHECK((error->code() == unauthenticated || error->code() == ErrorCode::protocol));
  }
}

TEST_CASE("TLS 1.2 is refused with a sentence that says what is missing (I9)") {
  const Fleet fleet;
  const auto [error, alert] = meet_raw(fleet, {.version = TLS1_2_VERSION, .identity = &fleet.device});
  CHECK(says(error, unauthenticated, "offers no TLS 1.3"));
  CHECK(alert == SSL_AD_PROTOCOL_VERSION);
}

TEST_CASE("a client that names no protocol or another one is refused") {
  const Fleet fleet;
  for (const std::string& alpn : {std::string(), std::string("\x08http/1.1"),
                                  std::string("\x04"
                                              "fl/2"
                                              "\x02"
                                              "fl")}) {
    const auto [error, alert] = meet_raw(fleet, {.alpn = alpn, .identity = &fleet.device});
    CHECK(says(error, unauthenticated, "none of the protocols fl/1 and fl-enroll/1"));
    CHECK(alert == SSL_AD_NO_APPLICATION_PROTOCOL);
  }
}

TEST_CASE("a client without a certificate is refused on fl/1") {
  const auto [error, alert] = meet_raw(Fleet(), {});
  CHECK(says(error, unauthenticated, "shows no certificate"));
  CHECK(alert == SSL_AD_CERTIFICATE_REQUIRED);
}

TEST_CASE("a chain of more certificates than fit the limit is refused (I8)") {
  const Fleet fleet;
  const auto [error, alert] = meet_raw(fleet, {.identity = &fleet.device, .chain_copies = 200});
  CHECK(says(error, ErrorCode::protocol, "excessive message size"));
}

TEST_CASE("a device of another authority is refused and both sides know why") {
  const Fleet ours;
  const Fleet theirs;
  const auto device = TlsContext::for_device(theirs.device, ours.authority.certificate);
  const Verdicts verdicts = meet(ours.server_context(), device);
  CHECK(says(verdicts.server, unauthenticated, "was not issued by this server's authority"));
  CHECK(says(verdicts.device, unauthenticated, "issued by another authority"));
}

TEST_CASE("an expired device certificate is refused and both sides know why") {
  const Fleet fleet;
  const net::Identity expired =
      fleet.make_device("old", {SystemClock().now() - 30min, std::chrono::hours(0)});
  const auto device = TlsContext::for_device(expired, fleet.authority.certificate);
  const Verdicts verdicts = meet(fleet.server_context(), device);
  CHECK(says(verdicts.server, unauthenticated, "the peer's certificate has expired"));
  CHECK(says(verdicts.device, unauthenticated, "it has expired"));
}

TEST_CASE("a device certificate that is not valid yet is refused") {
  const Fleet fleet;
  const net::Identity early = fleet.make_device("new", {SystemClock().now() + 5h, std::chrono::hours(2)});
  const auto device = TlsContext::for_device(early, fleet.authority.certificate);
  CHECK(says(meet(fleet.server_context(), device).server, unauthenticated, "not valid yet"));
}

TEST_CASE("a server certificate does not pass for a device") {
  const Fleet fleet;
  const auto device = TlsContext::for_device(fleet.server, fleet.authority.certificate);
  const Verdicts verdicts = meet(fleet.server_context(), device);
  CHECK(says(verdicts.server, unauthenticated, "not one for devices (clientAuth)"));
  CHECK(says(verdicts.device, unauthenticated, "it is not for this use"));
}

TEST_CASE("a device certificate does not pass for a server") {
  const Fleet fleet;
  const auto server = TlsContext::for_server(fleet.device, fleet.authority.certificate);
  CHECK(
      says(meet(server, fleet.device_context()).device, unauthenticated, "not one for servers (serverAuth)"));
  const auto enrolment = TlsContext::for_enrolment(fleet.authority.certificate.fingerprint());
  CHECK(says(meet(server, enrolment).device, unauthenticated, "not one for servers (serverAuth)"));
}

TEST_CASE("a device refuses a server of another authority than the pinned one") {
  const Fleet ours;
  const Fleet theirs;
  const Verdicts verdicts = meet(theirs.server_context(), ours.device_context());
  CHECK(says(verdicts.device, unauthenticated, "not issued by the pinned authority"));
  CHECK(says(verdicts.server, unauthenticated, "issued by another authority"));
}

TEST_CASE("an expired server certificate is refused") {
  Fleet fleet;
  fleet.server =
      net::issue_server(fleet.authority, "127.0.0.1", {SystemClock().now() - 30min, std::chrono::hours(0)});
  const auto verdicts = meet(fleet.server_context(), fleet.device_context());
  CHECK(says(verdicts.device, unauthenticated, "the server's certificate has expired"));
}

TEST_CASE("a device without a certificate enrols with the fingerprint of the authority alone") {
  Loopback loopback;
  const Fleet fleet;
  const Digest fingerprint = fleet.authority.certificate.fingerprint();
  std::unique_ptr<Connection> server;
  std::unique_ptr<Connection> device;
  loopback.run(
      [&]() -> Task<> { server = co_await loopback.accept(fleet.server_context()); },
      [&]() -> Task<> { device = co_await loopback.connect(TlsContext::for_enrolment(fingerprint)); });
  CHECK(server->alpn() == "fl-enroll/1");
  CHECK(device->alpn() == "fl-enroll/1");
  CHECK_FALSE(server->peer_certificate());
  CHECK_FALSE(server->peer_authority());
  CHECK(device->peer_certificate()->common_name() == "127.0.0.1");
  CHECK(device->peer_authority()->fingerprint() == fingerprint);
}

TEST_CASE("enrolment refuses a server without the authority of the token") {
  const Fleet ours;
  const Fleet theirs;
  const auto enrolment = TlsContext::for_enrolment(ours.authority.certificate.fingerprint());
  CHECK(says(meet(theirs.server_context(), enrolment).device, unauthenticated,
             "fingerprint in the enrolment token"));
  // Nor is the server's own certificate an authority.
  const auto pinned_leaf = TlsContext::for_enrolment(theirs.server.certificate.fingerprint());
  CHECK(meet(theirs.server_context(), pinned_leaf).device->code() == unauthenticated);
}

TEST_CASE("enrolment refuses a server that shows the authority but was not issued by it") {
  const Fleet ours;
  const Fleet theirs;
  const auto impostor = TlsContext::for_server(theirs.server, ours.authority.certificate);
  const auto enrolment = TlsContext::for_enrolment(ours.authority.certificate.fingerprint());
  CHECK(says(meet(impostor, enrolment).device, unauthenticated, "not issued by the pinned authority"));
}

TEST_CASE("a certificate that is shown at enrolment must be right as well") {
  const Fleet ours;
  const Fleet theirs;
  const auto [error, alert] = meet_raw(ours, {.alpn = "\x0b"
                                                      "fl-enroll/1",
                                              .identity = &theirs.device});
  CHECK(says(error, unauthenticated, "was not issued by this server's authority"));
  CHECK(alert == SSL_AD_UNKNOWN_CA);
}

TEST_CASE("a key that is not the certificate's makes no context (I9)") {
  const Fleet fleet;
  const net::Identity mixed{fleet.device.certificate, net::PrivateKey::generate()};
  CHECK(says(error_of([&] { TlsContext::for_device(mixed, fleet.authority.certificate); }),
             ErrorCode::invalid_argument, "device-1"));
}

TEST_CASE("a peer that is silent or slow in the handshake is given up at the limit (I8)") {
  Loopback loopback;
  const Fleet fleet;
  std::optional<Error> error;
  RawTls raw(loopback, {});
  loopback.run(
      [&]() -> Task<> { error = co_await failure_of(loopback.accept(fleet.server_context(), 30ms)); },
      [&]() -> Task<> {
        co_await raw.connect();
        co_await raw.read_to_end();
      });
  CHECK(says(error, ErrorCode::timeout, "longer than the time allowed"));
}

TEST_CASE("a peer that closes during the handshake is unavailable") {
  Loopback loopback;
  const Fleet fleet;
  std::optional<Error> server;
  std::optional<Error> device;
  loopback.run(
      [&]() -> Task<> { server = co_await failure_of(accept_only(loopback, fleet.server_context())); },
      [&]() -> Task<> {
        RawTls raw(loopback, {});
        co_await raw.connect();
      });
  CHECK(says(server, ErrorCode::unavailable, "closed during the TLS handshake"));
  loopback.run(
      [&]() -> Task<> { co_await loopback.accept_socket(); },
      [&]() -> Task<> { device = co_await failure_of(connect_and_read(loopback, fleet.device_context())); });
  CHECK((device && device->code() == ErrorCode::unavailable));
}

TEST_CASE("a device that writes before it reads still learns why its certificate was refused") {
  Loopback loopback;
  const Fleet ours;
  const Fleet theirs;
  std::optional<Error> error;
  loopback.run([&]() -> Task<> { co_await failure_of(loopback.accept(ours.server_context())); },
               [&]() -> Task<> {
                 const auto tls = net::TlsContext::for_device(theirs.device, ours.authority.certificate);
                 const std::unique_ptr<Connection> device = co_await loopback.connect(tls);
                 const Bytes chunk(limits::chunk_bytes);
                 while (!error) error = co_await failure_of(device->write_chunk(chunk, limit));
               });
  CHECK(says(error, ErrorCode::unauthenticated, "issued by another authority"));
}

TEST_CASE("strands of several threads share contexts and each has its own connections") {
  boost::asio::thread_pool threads(3);
  const Fleet fleet;
  const net::TlsContext server_tls = fleet.server_context();
  const net::TlsContext device_tls = fleet.device_context();
  boost::asio::ip::tcp::acceptor acceptor(threads, {boost::asio::ip::address_v4::loopback(), 0});
  const net::Endpoint endpoint{"127.0.0.1", acceptor.local_endpoint().port()};
  std::atomic<std::size_t> received = 0;
  constexpr std::size_t devices = 12;
  constexpr std::size_t chunks = 8;
  const auto serve = [&](boost::asio::ip::tcp::socket& socket) -> Task<> {
    const std::unique_ptr<Connection> server =
        co_await Connection::accept(std::move(socket), server_tls, limit);
    server->set_limits(limits::message_bytes, limits::chunk_bytes);
    for (std::size_t i = 0; i < chunks; ++i) received += (co_await server->read_frame(limit)).payload.size();
  };
  const auto send = [&]() -> Task<> {
    const std::unique_ptr<Connection> device = co_await Connection::connect(endpoint, device_tls, limit);
    const Bytes chunk(limits::chunk_bytes);
    for (std::size_t i = 0; i < chunks; ++i) co_await device->write_chunk(chunk, limit);
    co_await failure_of(device->read_frame(limit));
  };
  std::vector<std::future<void>> ends;
  std::list<boost::asio::ip::tcp::socket> sockets;
  for (std::size_t i = 0; i < devices; ++i) {
    ends.push_back(boost::asio::co_spawn(boost::asio::make_strand(threads), send, boost::asio::use_future));
    sockets.emplace_back(boost::asio::any_io_executor(boost::asio::make_strand(threads)));
    acceptor.accept(sockets.back());
    const auto executor = sockets.back().get_executor();
    const auto serve_this = [&serve, &socket = sockets.back()] { return serve(socket); };
    ends.push_back(boost::asio::co_spawn(executor, serve_this, boost::asio::use_future));
  }
  for (std::future<void>& end : ends) CHECK_NOTHROW(end.get());
  CHECK(received == devices * chunks * limits::chunk_bytes);
}

TEST_CASE("a server that is not there is unavailable by its address (I9)") {
  Loopback loopback;
  const net::Endpoint closed = Loopback().endpoint();  // its port was free a moment ago
  const auto tls = Fleet().device_context();
  loopback.run([&]() -> Task<> {
    const auto error = co_await failure_of(Connection::connect(closed, tls, limit));
    CHECK(says(error, ErrorCode::unavailable, "connecting to " + closed.text()));
    const net::Endpoint nameless{std::string(70, 'a'), 1};  // longer than a name's part may be
    CHECK(says(co_await failure_of(Connection::connect(nameless, tls, limit)), ErrorCode::unavailable,
               "looking up"));
  });
}

TEST_CASE("a server is found by name") {
  Loopback loopback;
  const Fleet fleet;
  loopback.run([&]() -> Task<> { co_await loopback.accept(fleet.server_context()); },
               [&]() -> Task<> {
                 const net::Endpoint server{"localhost", loopback.endpoint().port};
                 const auto tls = fleet.device_context();
                 const std::unique_ptr<Connection> device = co_await Connection::connect(server, tls, limit);
                 CHECK(device->peer_address() == loopback.endpoint().text());
               });
}
