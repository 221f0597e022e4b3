// The frame codec: however a stream comes in, the same frames come out, and make the same stream again.
#include <algorithm>
#include <cstring>
#include <vector>

#include "protocol/frame.h"
#include "tests/fuzz/fuzz.h"

using namespace fl;
using namespace fl::fuzz;
using wire::FrameDecoder;
using wire::FrameFault;

namespace {

struct Decoded {
  Bytes stream;  // of the frames alone
  std::size_t frames = 0;
  FrameFault fault = FrameFault::none;
  bool between_frames = false;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

void keep(Decoded& decoded, const wire::Frame& frame) {
  const auto header = wire::frame_header(frame.kind, frame.payload.size());
  decoded.stream.insert(decoded.stream.end(), header.begin(), header.end());
  decoded.stream.insert(decoded.stream.end(), frame.payload.begin(), frame.payload.end());
  ++decoded.frames;
}

/// Feeds at most `step` bytes at a time.
Decoded decode(ByteView stream, std::size_t message_limit, std::size_t chunk_limit, std::size_t step) {
  FrameDecoder decoder(message_limit, chunk_limit);
  Decoded decoded;
  while (!stream.empty()) {
    const std::span<std::byte> space = decoder.space();
    if (decoder.fault() != FrameFault::none) break;
    require(!space.empty(), "there is room for more as long as there is no fault");
    const std::size_t count = std::min({space.size(), stream.size(), step});
    std::memcpy(space.data(), stream.data(), count);
    decoder.filled(count);
    stream = stream.subspan(count);
    while (const auto frame = decoder.next()) {
      const std::size_t limit = frame->kind == wire::FrameKind::message ? message_limit : chunk_limit;
      require(!frame->payload.empty() && frame->payload.size() <= limit, "a frame is within its limit");
      keep(decoded, *frame);
    }
  }
  decoded.fault = decoder.fault();
  decoded.between_frames = decoded.fault == FrameFault::none && decoder.between_frames();
  return decoded;
}

}  // namespace

void fl::fuzz::try_input(ByteView input) {
  const std::size_t message_limit = std::size_t{take_byte(input)} * 16;
  const std::size_t chunk_limit = std::size_t{take_byte(input)} * 32;
  const std::size_t step = 1 + std::size_t{take_byte(input)};
  const Decoded whole = decode(input, message_limit, chunk_limit, input.size() + 1);
  require(whole == decode(input, message_limit, chunk_limit, 1), "fed byte by byte the frames are the same");
  require(whole == decode(input, message_limit, chunk_limit, step), "fed in pieces the frames are the same");
  require(whole.stream.size() <= input.size() &&
              std::equal(whole.stream.begin(), whole.stream.end(), input.begin()),
          "the frames make the stream that they came from");
}
