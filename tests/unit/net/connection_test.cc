#include "common/net/connection.h"

#include <string>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <doctest/doctest.h>

#include "common/base/random.h"
#include "tests/unit/net/loopback.h"
#include "tests/unit/net/raw_tls.h"

using namespace fl;
using namespace fl::test;
using net::Connection;

namespace {

constexpr auto limit = Loopback::limit;
constexpr std::size_t largest = limits::chunk_bytes;

flatbuffers::DetachedBuffer keep_alive() {
  return wire::make_message<wire::KeepAlive>(
      [](flatbuffers::FlatBufferBuilder& builder) { return wire::CreateKeepAlive(builder); });
}

flatbuffers::DetachedBuffer refusal(const std::string& sentence) {
  return wire::make_message<wire::Refusal>([&](flatbuffers::FlatBufferBuilder& builder) {
    return wire::CreateRefusal(builder, wire::RefusalCode::internal, builder.CreateString(sentence), true);
  });
}

Bytes random_bytes(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

Bytes frame_of(wire::FrameKind kind, std::size_t announced, std::size_t sent) {
  const auto header = wire::frame_header(kind, announced);
  Bytes frame(header.size() + sent, std::byte{1});
  std::copy(header.begin(), header.end(), frame.begin());
  return frame;
}

Task<> send_in_chunks(Connection& connection, const Bytes& bytes, std::size_t chunk) {
  for (std::size_t at = 0; at < bytes.size(); at += chunk) {
    const ByteView rest = ByteView(bytes).subspan(at);
    co_await connection.write_chunk(rest.first(std::min(chunk, rest.size())), limit);
  }
}

Task<Digest> receive(Connection& connection, std::size_t count) {
  Sha256 hash;
  while (count > 0) {
    const wire::Frame frame = co_await connection.read_frame(limit);
    CHECK(frame.kind == wire::FrameKind::chunk);
    hash.update(frame.payload);
    count -= frame.payload.size();
  }
  co_return hash.finish();
}

/// What the server's read says after a peer has sent `bytes` and gone.
std::optional<Error> error_after(const Bytes& bytes, bool goodbye) {
  Loopback loopback;
  RawPair pair(loopback);
  std::optional<Error> error;
  loopback.run([&]() -> Task<> { error = co_await failure_of(pair.server->read_frame(limit)); },
               [&]() -> Task<> {
                 co_await pair.raw.write(bytes);
                 if (goodbye) co_await pair.raw.say_goodbye();
                 pair.raw.close();
               });
  return error;
}

}  // namespace

TEST_CASE("a peer that sends records without data is disconnected and takes nobody's time (I8)") {
  Loopback loopback;
  RawPair pair(loopback);
  std::optional<Error> error;
  loopback.run([&]() -> Task<> { error = co_await failure_of(pair.server->read_frame(limit)); },
               [&]() -> Task<> { co_await pair.raw.renew_keys(100'000); });
  CHECK(says(error, ErrorCode::protocol, "records without data"));
}

TEST_CASE("a few renewals of keys between frames are no fault") {
  Loopback loopback;
  RawPair pair(loopback);
  const auto header = wire::frame_header(wire::FrameKind::message, 3);
  loopback.run(
      [&]() -> Task<> {
        for (int i = 0; i < 3; ++i) CHECK((co_await pair.server->read_frame(limit)).payload.size() == 3);
      },
      [&]() -> Task<> {
        for (int i = 0; i < 3; ++i) {
          co_await pair.raw.renew_keys(20);
          co_await pair.raw.write(header);
          co_await pair.raw.write(as_bytes("abc"));
        }
      });
}

TEST_CASE("both ends know the protocol and each other from their certificates") {
  Loopback loopback;
  const Fleet fleet;
  const Pair pair(loopback, fleet);
  CHECK(pair.server->alpn() == "fl/1");
  CHECK(pair.device->alpn() == "fl/1");
  CHECK(pair.server->peer_certificate()->common_name() == "device-1");
  CHECK(pair.server->peer_authority()->fingerprint() == fleet.authority.certificate.fingerprint());
  CHECK(pair.device->peer_authority()->fingerprint() == fleet.authority.certificate.fingerprint());
  CHECK(pair.device->peer_address() == loopback.endpoint().text());
  CHECK(pair.server->bytes_received() == pair.device->bytes_sent());
  loopback.run([&]() -> Task<> { co_await pair.server->write_message(keep_alive(), limit); },
               [&]() -> Task<> { co_await pair.device->read_message(limit); });
  CHECK(pair.device->bytes_received() == pair.server->bytes_sent());  // the ticket among them
}

TEST_CASE("messages go both ways and small ones in one record") {
  Loopback loopback;
  const Pair pair(loopback, Fleet());
  const std::uint64_t before = pair.device->bytes_sent();
  loopback.run(
      [&]() -> Task<> {
        const wire::Message* message = co_await pair.server->read_message(limit);
        CHECK(std::string(wire::body_name(*message)) == "KeepAlive");
        co_await pair.server->write_message(refusal("not now"), limit);
      },
      [&]() -> Task<> {
        co_await pair.device->write_message(keep_alive(), limit);
        const wire::Message* message = co_await pair.device->read_message(limit);
        CHECK(wire::text_of(message->body_as_Refusal()->sentence()) == "not now");
      });
  constexpr std::size_t record_overhead = 22;
  CHECK(pair.device->bytes_sent() - before ==
        keep_alive().size() + wire::frame_header_bytes + record_overhead);
}

TEST_CASE("megabytes of chunks of every kind of length arrive as they were sent") {
  for (const std::size_t chunk : {largest, std::size_t{16376}, std::size_t{16377}, std::size_t{99991}}) {
    Loopback loopback;
    const Pair pair(loopback, Fleet());
    const Bytes bytes = random_bytes(6 * largest + 13, chunk);
    loopback.run([&]() -> Task<> { CHECK(co_await receive(*pair.server, bytes.size()) == sha256(bytes)); },
                 [&]() -> Task<> { co_await send_in_chunks(*pair.device, bytes, chunk); });
  }
}

TEST_CASE("both directions carry megabytes at once") {
  Loopback loopback;
  const Pair pair(loopback, Fleet());
  const Bytes up = random_bytes(16 * largest, 1);
  const Bytes down = random_bytes(16 * largest, 2);
  loopback.run([&]() -> Task<> { CHECK(co_await receive(*pair.server, up.size()) == sha256(up)); },
               [&]() -> Task<> { co_await send_in_chunks(*pair.server, down, largest); },
               [&]() -> Task<> { CHECK(co_await receive(*pair.device, down.size()) == sha256(down)); },
               [&]() -> Task<> { co_await send_in_chunks(*pair.device, up, largest); });
}

TEST_CASE("frames of many writers stay whole and in the order of each") {
  constexpr unsigned writers = 8;
  constexpr unsigned frames = 40;
  Loopback loopback;
  const Pair pair(loopback, Fleet());
  const auto write = [&](unsigned writer) -> Task<> {
    for (unsigned i = 0; i < frames; ++i) {
      Bytes bytes(1 + (i * 7919 * (writer + 1)) % 200000, static_cast<std::byte>(writer));
      bytes[0] = static_cast<std::byte>(i);
      co_await pair.device->write_chunk(bytes, limit);
    }
  };
  const auto read = [&]() -> Task<> {
    std::array<unsigned, writers> next{};
    for (unsigned i = 0; i < writers * frames; ++i) {
      const wire::Frame frame = co_await pair.server->read_frame(limit);
      if (frame.payload.size() == 1) continue;  // says nothing of its writer
      const auto writer = std::to_integer<unsigned>(frame.payload.back());
      REQUIRE(writer < writers);
      CHECK(std::to_integer<unsigned>(frame.payload[0]) >= next[writer]);
      next[writer] = std::to_integer<unsigned>(frame.payload[0]) + 1;
      const ByteView rest = frame.payload.subspan(1);
      CHECK(std::all_of(rest.begin(), rest.end(), [&](std::byte byte) { return byte == rest[0]; }));
    }
  };
  loopback.run(
      read, [&] { return write(0); }, [&] { return write(1); }, [&] { return write(2); },
      [&] { return write(3); }, [&] { return write(4); }, [&] { return write(5); }, [&] { return write(6); },
      [&] { return write(7); });
}

TEST_CASE("writers come in the order in which they asked") {
  Loopback loopback;
  const Pair pair(loopback, Fleet());
  std::string order;
  const auto write = [&](unsigned writer, std::size_t size) -> Task<> {
    Bytes bytes(size, static_cast<std::byte>(writer));
    co_await pair.device->write_chunk(bytes, limit);
  };
  loopback.run([&] { return write(1, largest); }, [&] { return write(2, largest); },
               [&] { return write(3, 5); }, [&] { return write(4, largest); }, [&] { return write(5, 5); },
               [&]() -> Task<> {
                 for (int i = 0; i < 5; ++i) {
                   const wire::Frame frame = co_await pair.server->read_frame(limit);
                   order += std::to_string(std::to_integer<unsigned>(frame.payload[0]));
                 }
               });
  CHECK(order == "12345");
}

TEST_CASE("a read of a silent peer times out and the next one goes on where it was") {
  Loopback loopback;
  RawPair pair(loopback);
  loopback.run([&]() -> Task<> {
    const Bytes frame = frame_of(wire::FrameKind::message, 1000, 1000);
    for (std::size_t at = 0; at < frame.size(); at += 168) {
      const auto error = co_await failure_of(pair.server->read_frame(1ms));
      CHECK(says(error, ErrorCode::timeout, "longer than the time allowed"));
      co_await pair.raw.write(ByteView(frame).subspan(at, std::min<std::size_t>(168, frame.size() - at)));
    }
    CHECK((co_await pair.server->read_frame(limit)).payload.size() == 1000);
  });
}

TEST_CASE("a read can be cancelled inside a frame and the next one goes on where it was") {
  using namespace boost::asio::experimental::awaitable_operators;
  Loopback loopback;
  RawPair pair(loopback);
  loopback.run([&]() -> Task<> {
    const Bytes frame = frame_of(wire::FrameKind::message, 1000, 1000);
    co_await pair.raw.write(ByteView(frame).first(500));
    boost::asio::steady_timer timer(loopback.context(), 5ms);
    const auto first =
        co_await (pair.server->read_frame(limit) || timer.async_wait(boost::asio::use_awaitable));
    CHECK(first.index() == 1);
    co_await pair.raw.write(ByteView(frame).subspan(500));
    CHECK((co_await pair.server->read_frame(limit)).payload.size() == 1000);
  });
}

TEST_CASE("a deadline of one direction leaves the other alone") {
  Loopback loopback;
  const Pair pair(loopback, Fleet());
  const Bytes bytes = random_bytes(8 * largest, 3);
  loopback.run(
      [&]() -> Task<> {
        for (int i = 0; i < 50; ++i)
          CHECK((co_await failure_of(pair.device->read_frame(0ms)))->code() == ErrorCode::timeout);
      },
      [&]() -> Task<> { co_await send_in_chunks(*pair.device, bytes, largest); },
      [&]() -> Task<> { CHECK(co_await receive(*pair.server, bytes.size()) == sha256(bytes)); });
}

TEST_CASE("a write to a peer that does not read times out and nothing follows the frame that was cut off") {
  Loopback loopback;
  const Pair pair(loopback, Fleet());
  const Bytes chunk(largest);
  loopback.run([&]() -> Task<> {
    std::optional<Error> error;
    while (!error) error = co_await failure_of(pair.device->write_chunk(chunk, 20ms));
    CHECK(says(error, ErrorCode::timeout, "longer than the time allowed"));
    CHECK(says(co_await failure_of(pair.device->write_message(keep_alive(), limit)), ErrorCode::timeout, ""));
    co_await pair.server->write_message(keep_alive(), limit);
    CHECK(co_await pair.device->read_message(limit) != nullptr);
  });
}

TEST_CASE("a writer that gives up while it waits for its turn harms no other") {
  Loopback loopback;
  const Pair pair(loopback, Fleet());
  const Bytes chunk(largest, std::byte{1});
  constexpr int frames = 30;  // more than the sockets hold
  bool gave_up = false;
  loopback.run(
      [&]() -> Task<> {
        for (int i = 0; i < frames; ++i) co_await pair.device->write_chunk(chunk, limit);
      },
      [&]() -> Task<> {
        const Bytes other(10, std::byte{2});
        std::optional<Error> error;
        while (!error) error = co_await failure_of(pair.device->write_chunk(other, 10ms));
        CHECK(error->code() == ErrorCode::timeout);
        gave_up = true;
      },
      [&]() -> Task<> {
        boost::asio::steady_timer timer(loopback.context());
        while (!gave_up) {
          timer.expires_after(1ms);
          co_await timer.async_wait(boost::asio::use_awaitable);
        }
        for (int whole = 0; whole < frames;) {
          const wire::Frame frame = co_await pair.server->read_frame(limit);
          CHECK((frame.payload.size() == largest || frame.payload.size() == 10));
          if (frame.payload.size() == largest) ++whole;
        }
      });
}

TEST_CASE("close and the destructor wake readers and writers with an error that says so") {
  for (const bool destroys : {false, true}) {
    Loopback loopback;
    Pair pair(loopback, Fleet());
    const Bytes chunk(largest);
    std::optional<Error> read_error;
    std::array<std::optional<Error>, 2> write_errors;  // one inside a frame, one before its turn
    const auto write_on = [&](std::optional<Error>& error) -> Task<> {
      while (!error) error = co_await failure_of(pair.device->write_chunk(chunk, limit));
    };
    loopback.run([&]() -> Task<> { read_error = co_await failure_of(pair.device->read_frame(limit)); },
                 [&] { return write_on(write_errors[0]); }, [&] { return write_on(write_errors[1]); },
                 [&]() -> Task<> {
                   boost::asio::steady_timer timer(loopback.context(), 30ms);
                   co_await timer.async_wait(boost::asio::use_awaitable);
                   destroys ? pair.device.reset() : pair.device->close();
                 });
    CHECK(says(read_error, ErrorCode::cancelled, "closed on this side"));
    CHECK(says(write_errors[0], ErrorCode::cancelled, "closed on this side"));
    CHECK(says(write_errors[1], ErrorCode::cancelled, "closed on this side"));
  }
}

TEST_CASE("a peer that closes between frames is unavailable with or without a goodbye") {
  for (const bool goodbye : {true, false}) {
    CHECK(says(error_after({}, goodbye), ErrorCode::unavailable, "closed by the peer"));
  }
}

TEST_CASE("a peer that closes inside a frame has cut it off (I8)") {
  for (const bool goodbye : {true, false}) {
    for (const std::size_t sent : {std::size_t{0}, std::size_t{1}, std::size_t{99}}) {
      const Bytes cut = frame_of(wire::FrameKind::message, 100, sent);
      CHECK(says(error_after(cut, goodbye), ErrorCode::protocol, "inside a frame"));
    }
    CHECK(says(error_after(Bytes(3), goodbye), ErrorCode::protocol, "inside a frame"));
  }
}

TEST_CASE("bytes that are no frames are refused by name (I8)") {
  CHECK(says(error_after(frame_of(wire::FrameKind{7}, 10, 10), true), ErrorCode::protocol, "kind must be"));
  CHECK(says(error_after(frame_of(wire::FrameKind::message, 0, 0), true), ErrorCode::protocol,
             "must not be empty"));
  CHECK(says(error_after(Bytes(8, std::byte{1}), true), ErrorCode::protocol, "must be zero"));
}

TEST_CASE("a peer that is not known yet may send a small message and no chunk (I8)") {
  using wire::FrameKind;
  const Bytes message = frame_of(FrameKind::message, limits::first_message_bytes + 1, 0);
  CHECK(says(error_after(message, true), ErrorCode::protocol, "over the limit"));
  CHECK(says(error_after(frame_of(FrameKind::chunk, 1, 1), true), ErrorCode::protocol, "over the limit"));
  CHECK_FALSE(error_after(
      frame_of(FrameKind::message, limits::first_message_bytes, limits::first_message_bytes), true));
}

TEST_CASE("a chunk or a broken message where a message was expected is refused (I8)") {
  Loopback loopback;
  RawPair pair(loopback);
  pair.server->set_limits(limits::message_bytes, limits::chunk_bytes);
  loopback.run([&]() -> Task<> {
    co_await pair.raw.write(frame_of(wire::FrameKind::message, 100, 100));
    CHECK(
        says(co_await failure_of(pair.server->read_message(limit)), ErrorCode::protocol, "does not verify"));
    co_await pair.raw.write(frame_of(wire::FrameKind::chunk, 100, 100));
    CHECK(says(co_await failure_of(pair.server->read_message(limit)), ErrorCode::protocol,
               "a chunk where a message"));
  });
}

TEST_CASE("frames beyond the limits are not even begun (I9)") {
  Loopback loopback;
  const Pair pair(loopback, Fleet());
  const std::uint64_t before = pair.device->bytes_sent();
  loopback.run([&]() -> Task<> {
    const Bytes too_long(largest + 1);
    const auto write = [&](ByteView bytes) -> Task<> { co_await pair.device->write_chunk(bytes, limit); };
    CHECK(says(co_await failure_of(write({})), ErrorCode::invalid_argument, "1 byte to 1 MiB"));
    CHECK(says(co_await failure_of(write(too_long)), ErrorCode::invalid_argument, "1 byte to 1 MiB"));
    auto message = refusal(std::string(limits::message_bytes, 'a'));
    const auto error = co_await failure_of(pair.device->write_message(std::move(message), limit));
    CHECK(says(error, ErrorCode::invalid_argument, "over the limit"));
  });
  CHECK(pair.device->bytes_sent() == before);
}

TEST_CASE("what a peer said before it closed can be read after a write has failed") {
  Loopback loopback;
  const Pair pair(loopback, Fleet());
  const Bytes chunk(largest);
  loopback.run(
      [&]() -> Task<> {
        co_await pair.server->read_frame(limit);
        co_await pair.server->write_message(refusal("the server stops"), limit);
        pair.server->close();
      },
      [&]() -> Task<> {
        std::optional<Error> error;
        while (!error) error = co_await failure_of(pair.device->write_chunk(chunk, limit));
        CHECK(error->code() == ErrorCode::unavailable);
        const wire::Message* message = co_await pair.device->read_message(limit);
        CHECK(wire::text_of(message->body_as_Refusal()->sentence()) == "the server stops");
      });
}
