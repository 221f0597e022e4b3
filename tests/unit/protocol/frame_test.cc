#include "protocol/frame.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include <doctest/doctest.h>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "protocol/limits.h"

using namespace fl;
using wire::FrameDecoder;
using wire::FrameFault;
using wire::FrameKind;

namespace {

struct OwnedFrame {
  FrameKind kind;
  Bytes payload;
  friend bool operator==(const OwnedFrame& a, const OwnedFrame& b) {
    return a.kind == b.kind && a.payload == b.payload;
  }
};

constexpr std::size_t small = 1024;  // more than a decoder at rest may hold

OwnedFrame random_frame(Random& random, std::size_t longest) {
  OwnedFrame frame{random.below(2) == 0 ? FrameKind::message : FrameKind::chunk,
                   Bytes(1 + random.below(longest))};
  for (std::byte& byte : frame.payload) byte = static_cast<std::byte>(random());
  return frame;
}

void append(Bytes& stream, const OwnedFrame& frame) {
  const auto header = wire::frame_header(frame.kind, frame.payload.size());
  stream.insert(stream.end(), header.begin(), header.end());
  stream.insert(stream.end(), frame.payload.begin(), frame.payload.end());
}

Bytes stream_of(const std::vector<OwnedFrame>& frames) {
  Bytes stream;
  for (const OwnedFrame& frame : frames) append(stream, frame);
  return stream;
}

Bytes header_of(std::uint32_t length, unsigned kind, unsigned reserved = 0) {
  Bytes header(8);
  for (std::size_t i = 0; i < 4; ++i) header[i] = static_cast<std::byte>(length >> (8 * i));
  header[4] = static_cast<std::byte>(kind);
  header[6] = static_cast<std::byte>(reserved);
  return header;
}

/// Puts as much of `bytes` into the decoder as it has room for now.
std::size_t fill(FrameDecoder& decoder, ByteView bytes) {
  const std::span<std::byte> space = decoder.space();
  const std::size_t count = std::min(space.size(), bytes.size());
  if (count > 0) std::memcpy(space.data(), bytes.data(), count);
  decoder.filled(count);
  return count;
}

/// Feeds at most `step()` bytes at a time and takes every frame that is whole.
template <typename Step>
std::vector<OwnedFrame> decode(FrameDecoder& decoder, ByteView stream, Step step) {
  std::vector<OwnedFrame> frames;
  while (!stream.empty()) {
    const std::size_t count = fill(decoder, stream.first(std::min<std::size_t>(step(), stream.size())));
    REQUIRE((count > 0 || decoder.fault() != FrameFault::none));
    if (count == 0) break;
    stream = stream.subspan(count);
    while (const auto frame = decoder.next()) {
      CHECK(reinterpret_cast<std::uintptr_t>(frame->payload.data()) % 8 == 0);
      frames.push_back({frame->kind, Bytes(frame->payload.begin(), frame->payload.end())});
    }
  }
  return frames;
}

FrameFault fault_of(ByteView stream) {
  FrameDecoder decoder(limits::message_bytes, limits::chunk_bytes);
  CHECK(decode(decoder, stream, [] { return 1; }).empty());
  return decoder.fault();
}

}  // namespace

TEST_CASE("a frame header is eight bytes that say length and kind") {
  const auto header = wire::frame_header(FrameKind::chunk, 0x00010203);
  CHECK(to_hex(header) == "0302010002000000");
}

TEST_CASE("frames of all lengths come out as they went in when fed byte by byte") {
  Random random(1);
  std::vector<OwnedFrame> frames;
  for (int i = 0; i < 200; ++i) frames.push_back(random_frame(random, 40));
  FrameDecoder decoder(limits::message_bytes, limits::chunk_bytes);
  CHECK(decode(decoder, stream_of(frames), [] { return 1; }) == frames);
  CHECK(decoder.between_frames());
}

TEST_CASE("it does not matter where a stream is split in two") {
  Random random(2);
  const std::vector<OwnedFrame> frames = {random_frame(random, 30), random_frame(random, 3),
                                          random_frame(random, 60), random_frame(random, 9)};
  const Bytes stream = stream_of(frames);
  for (std::size_t split = 1; split <= stream.size(); ++split) {
    FrameDecoder decoder(limits::message_bytes, limits::chunk_bytes);
    CHECK(decode(decoder, stream, [&] { return split; }) == frames);
  }
}

TEST_CASE("messages and chunks of mixed sizes are cut right at random splits") {
  Random random(3);
  for (int round = 0; round < 20; ++round) {
    std::vector<OwnedFrame> frames;
    for (int i = 0; i < 30; ++i) frames.push_back(random_frame(random, random.below(10) == 0 ? 100000 : 50));
    frames.push_back({FrameKind::chunk, Bytes(limits::chunk_bytes, std::byte{7})});
    frames.push_back({FrameKind::message, Bytes(limits::message_bytes, std::byte{9})});
    FrameDecoder decoder(limits::message_bytes, limits::chunk_bytes);
    CHECK(decode(decoder, stream_of(frames), [&] { return 1 + random.below(30000); }) == frames);
    CHECK(decoder.between_frames());
  }
}

TEST_CASE("every fault of a header is found and named and stays (I8)") {
  CHECK(fault_of(header_of(5, 0)) == FrameFault::unknown_kind);
  CHECK(fault_of(header_of(5, 3)) == FrameFault::none);
  CHECK(fault_of(header_of(5, 4)) == FrameFault::unknown_kind);
  CHECK(fault_of(header_of(5, 255)) == FrameFault::unknown_kind);
  CHECK(fault_of(header_of(5, 1, 1)) == FrameFault::reserved_not_zero);
  CHECK(fault_of(header_of(0, 1)) == FrameFault::empty);
  CHECK(fault_of(header_of(0, 2)) == FrameFault::empty);
  CHECK(fault_of(header_of(limits::message_bytes + 1, 1)) == FrameFault::too_large);
  CHECK(fault_of(header_of(limits::chunk_bytes + 1, 2)) == FrameFault::too_large);
  CHECK(fault_of(header_of(limits::chunk_bytes + 1, 3)) == FrameFault::too_large);
  CHECK(fault_of(header_of(0xffffffff, 2)) == FrameFault::too_large);
  CHECK(fault_of(as_bytes("GET / HTTP/1.1\r\n")) == FrameFault::unknown_kind);

  FrameDecoder decoder(limits::message_bytes, limits::chunk_bytes);
  fill(decoder, header_of(5, 4));
  for (int again = 0; again < 3; ++again) {
    CHECK_FALSE(decoder.next());
    CHECK(decoder.space().empty());
    CHECK(decoder.fault() == FrameFault::unknown_kind);
  }
}

TEST_CASE("each fault has a sentence of its own") {
  std::vector<std::string> sentences;
  for (const FrameFault fault : {FrameFault::none, FrameFault::unknown_kind, FrameFault::reserved_not_zero,
                                 FrameFault::empty, FrameFault::too_large}) {
    sentences.emplace_back(wire::sentence(fault));
  }
  std::sort(sentences.begin(), sentences.end());
  CHECK(std::unique(sentences.begin(), sentences.end()) == sentences.end());
}

TEST_CASE("frames before a fault are still given") {
  Random random(4);
  const std::vector<OwnedFrame> good = {random_frame(random, 20), random_frame(random, 20)};
  Bytes stream = stream_of(good);
  const Bytes bad = header_of(5, 9);
  stream.insert(stream.end(), bad.begin(), bad.end());
  FrameDecoder decoder(limits::message_bytes, limits::chunk_bytes);
  CHECK(decode(decoder, stream, [&] { return stream.size(); }) == good);
  CHECK(decoder.fault() == FrameFault::unknown_kind);
}

TEST_CASE("a header over the limit makes the decoder allocate nothing (I8)") {
  for (const bool asks_next : {true, false}) {
    FrameDecoder decoder(limits::message_bytes, limits::chunk_bytes);
    fill(decoder, header_of(0xfffffff0, 2));
    if (asks_next) CHECK_FALSE(decoder.next());
    CHECK(decoder.space().empty());
    CHECK(decoder.fault() == FrameFault::too_large);
  }
}

TEST_CASE("a peer has to send what it makes the decoder allocate (I8)") {
  FrameDecoder decoder(limits::message_bytes, limits::chunk_bytes);
  Bytes stream;
  append(stream, {FrameKind::chunk, Bytes(limits::chunk_bytes)});
  std::size_t sent = 0;
  while (sent < stream.size()) {
    CHECK(sent + decoder.space().size() <= std::max(small, 2 * sent));
    sent += fill(decoder, ByteView(stream).subspan(sent, std::min<std::size_t>(1000, stream.size() - sent)));
    if (sent < stream.size()) CHECK_FALSE(decoder.next());
  }
  CHECK(decoder.next()->payload.size() == limits::chunk_bytes);
}

TEST_CASE("after a transfer the decoder is small again once a message has come (I5)") {
  FrameDecoder decoder(limits::message_bytes, limits::chunk_bytes);
  const OwnedFrame chunk{FrameKind::chunk, Bytes(limits::chunk_bytes)};
  const OwnedFrame message{FrameKind::message, Bytes(10)};
  CHECK(decode(decoder, stream_of({chunk}), [] { return 100000; }).size() == 1);
  CHECK(decoder.space().size() > small);
  CHECK(decode(decoder, stream_of({message}), [] { return 100000; }).size() == 1);
  CHECK(decoder.space().size() <= small);
}

TEST_CASE("a stream that ends inside a frame is known as truncated") {
  Bytes stream;
  append(stream, {FrameKind::message, Bytes(20)});
  for (std::size_t length = 0; length <= stream.size(); ++length) {
    FrameDecoder decoder(limits::message_bytes, limits::chunk_bytes);
    decode(decoder, ByteView(stream).first(length), [] { return 7; });
    CHECK(decoder.between_frames() == (length == 0 || length == stream.size()));
  }
}

TEST_CASE("a peer that has not said who it is gets lower limits and a known one more") {
  FrameDecoder decoder(100, 0);
  CHECK(decode(decoder, stream_of({{FrameKind::message, Bytes(100)}}), [] { return 50; }).size() == 1);
  decoder.set_limits(1000, 2000);
  CHECK(decode(decoder, stream_of({{FrameKind::message, Bytes(1000)}}), [] { return 50; }).size() == 1);
  CHECK(decode(decoder, stream_of({{FrameKind::chunk, Bytes(2000)}}), [] { return 50; }).size() == 1);
  decode(decoder, stream_of({{FrameKind::message, Bytes(1001)}}), [] { return 50; });
  CHECK(decoder.fault() == FrameFault::too_large);

  FrameDecoder no_chunks(100, 0);
  decode(no_chunks, stream_of({{FrameKind::chunk, Bytes(1)}}), [] { return 50; });
  CHECK(no_chunks.fault() == FrameFault::too_large);
}

TEST_CASE("random bytes never crash the decoder nor make it large (I8)") {
  Random random(5);
  for (int round = 0; round < 2000; ++round) {
    FrameDecoder decoder(256, 512);
    Bytes stream(1 + random.below(200));
    for (std::byte& byte : stream) byte = static_cast<std::byte>(random());
    // Half of the streams begin like frames.
    if (random.below(2) == 0 && stream.size() >= 8) {
      const Bytes header =
          header_of(static_cast<std::uint32_t>(random.below(600)), random.below(2) == 0 ? 1 : 2);
      std::copy(header.begin(), header.end(), stream.begin());
    }
    decode(decoder, stream, [&] { return 1 + random.below(20); });
    CHECK(decoder.space().size() <= small);
  }
}
