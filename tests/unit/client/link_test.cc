// How long a device waits for a server, over real TLS on loopback.

#include "client/agent/link.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include "client/agent/messages.h"
#include "common/base/error.h"
#include "common/base/files.h"
#include "protocol/limits.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/client/examples.h"
#include "tests/unit/client/fake_server.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;

namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr milliseconds patience{1000};

Task<> sleep(milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

/// Says KeepAlive for longer than a device is patient with a silent server.
Task<> keep_waiting(Peer& peer) {
  for (int i = 0; i < 8; ++i) {
    co_await peer.keep_alive();
    co_await sleep(milliseconds(200));
  }
}

using Talk = std::function<Task<>(Link&)>;

Task<> over_link(const Federation& federation, net::Endpoint server, Talk talk) {
  const net::TlsContext tls =
      net::TlsContext::for_device(federation.issue("device-1"), federation.authority.certificate);
  auto connection = co_await net::Connection::connect(server, tls, limits::handshake_time);
  connection->set_limits(limits::message_bytes, limits::chunk_bytes);
  const Link::Silence silence{std::chrono::seconds(30), patience};
  Link link(std::move(connection), co_await asio::this_coro::executor, silence, [](const wire::Message&) {});
  co_await talk(link);
}

/// Has the conversation; throws what it throws.
void have(const Federation& federation, const FakeServer& server, const Talk& talk) {
  asio::io_context context(1);
  std::exception_ptr failure;
  asio::co_spawn(context, over_link(federation, server.endpoint(), talk),
                 [&](std::exception_ptr error) { failure = std::move(error); });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

TEST_CASE("a device waits for an answer as long as the server keeps the connection alive") {
  const Federation federation;
  FakeServer server(federation, {[](Peer& peer) -> Task<> {
                      co_await keep_waiting(peer);
                      co_await peer.go(7);
                      co_await sleep(milliseconds(50));
                    }});
  std::uint64_t offset = 0;
  have(federation, server, [&](Link& link) -> Task<> {
    const Link::Answer answer = co_await link.answer(patience);
    offset = answer.as<wire::UpdateGo>().offset();
  });
  CHECK(offset == 7);
}

TEST_CASE("a device does not wait for a silent server nor beyond the moment it has set") {
  const Federation federation;
  const auto silent = [](Peer& peer) -> Task<> {
    co_await peer.keep_alive();
    co_await sleep(3 * patience);
  };
  FakeServer server(federation, {silent, keep_waiting});
  CHECK(code_thrown_by([&] {
          have(federation, server, [](Link& link) -> Task<> { co_await link.answer(patience); });
        }) == ErrorCode::timeout);
  CHECK(code_thrown_by([&] {
          have(federation, server, [](Link& link) -> Task<> {
            const Moment until = std::chrono::steady_clock::now() + milliseconds(300);
            co_await link.answer(patience, until);
          });
        }) == ErrorCode::timeout);
}

TEST_CASE("bulk bytes come as they were sent, and take fewer where the server has asked for that") {
  const Federation federation;
  const Bytes bytes(1'000'000, std::byte{7});
  for (const bool compress : {false, true}) {
    CAPTURE(compress);
    Bytes received;
    FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                        peer.connection().set_limits(limits::message_bytes, limits::chunk_bytes);
                        co_await peer.go(0, compress);
                        received = co_await peer.receive(bytes.size());
                      }});
    std::uint64_t sent = 0;
    have(federation, server, [&](Link& link) -> Task<> {
      const Link::Answer answer = co_await link.answer(patience);
      co_await link.send_bulk(bytes, answer.as<wire::UpdateGo>().compress());
      sent = link.bytes_sent();
    });
    server.finish();
    CHECK(received == bytes);
    CHECK((sent < bytes.size() / 10) == compress);
  }
}

TEST_CASE("a fetch waits for its turn as long as the server keeps the connection alive") {
  const Federation federation;
  const TemporaryFolder folder;
  const std::string text = "a part of a version";
  FakeServer server(federation, {[&](Peer& peer) -> Task<> {
                      peer.connection().set_limits(limits::message_bytes, 0);
                      co_await peer.expect<wire::Fetch>();
                      co_await keep_waiting(peer);
                      auto transfer =
                          wire::make_message<wire::Transfer>([&](flatbuffers::FlatBufferBuilder& builder) {
                            return wire::CreateTransfer(builder, text.size(), 0);
                          });
                      co_await peer.send(std::move(transfer));
                      co_await peer.send_chunk(as_bytes(text));
                      co_await sleep(milliseconds(50));
                    }});
  PartFile part(folder / "p", sha256(as_bytes(text)), text.size());
  have(federation, server,
       [&](Link& link) -> Task<> { co_await link.fetch(sha256(as_bytes(text)), part, {}); });
  part.finish();
  CHECK(read_text_file(folder / "p") == text);
}
