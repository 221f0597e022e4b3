#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

/// Frames: an 8-byte header, then the payload.
///
///     offset 0  length of the payload, 32 bits, little-endian
///     offset 4  kind: 1 message (FlatBuffers, identifier FLM1), 2 chunk of bulk bytes, 3 compressed chunk
///               (compression.h)
///     offset 5  three zero bytes, kept for later
///
/// A message's payload is 1 to limits::message_bytes long, a chunk's 1 to limits::chunk_bytes,
/// compressed or not. Pure: bytes in, frames out; no sockets, no clock.
namespace fl::wire {

enum class FrameKind : std::uint8_t { message = 1, chunk = 2, compressed_chunk = 3 };

inline constexpr std::size_t frame_header_bytes = 8;

/// The header of a frame; `length` must be within the kind's limit.
std::array<std::byte, frame_header_bytes> frame_header(FrameKind kind, std::size_t length);

/// A whole frame. The payload is 8-byte aligned and valid until the decoder is fed or advanced again.
struct Frame {
  FrameKind kind;
  std::span<const std::byte> payload;
};

/// Why a stream of bytes is no stream of frames. Once found, the decoder stays there.
enum class FrameFault : std::uint8_t { none, unknown_kind, reserved_not_zero, empty, too_large };

/// A sentence about a fault, for the log and the peer.
const char* sentence(FrameFault fault);

/// Cuts a stream of bytes into frames. One thread at a time.
///
/// Usage: read into `space()`, call `filled(n)`, then take frames by `next()` until it gives none. The buffer
/// starts small and never grows beyond the largest frame allowed: it grows to a length that a valid header
/// announced, and at most to twice of what has come, so that a peer has to send what it makes us allocate. It
/// is small again when messages follow chunks, so that a connection that rests costs little.
class FrameDecoder {
 public:
  /// `message_limit` and `chunk_limit` may be lower than the protocol's: a peer that has not said who it is
  /// gets little, a side that expects no chunks gives 0.
  FrameDecoder(std::size_t message_limit, std::size_t chunk_limit);

  /// Where the next bytes go; never empty unless there is a fault or a frame waits to be taken. Ends the
  /// frame that next() gave.
  std::span<std::byte> space();
  /// `count` bytes of space() have been written.
  void filled(std::size_t count);
  /// The next whole frame, or nothing: more bytes are needed, or there is a fault.
  std::optional<Frame> next();

  FrameFault fault() const { return fault_; }
  /// Whether the stream ends between frames here: if a peer closes elsewhere, a frame was truncated.
  bool between_frames() const;
  /// New limits (once a peer has said who it is) for every frame that next() has not given yet.
  void set_limits(std::size_t message_limit, std::size_t chunk_limit);

 private:
  void drop_taken();
  /// The bytes that have come of the frame that is next, and of those after it.
  std::span<std::byte> pending();
  /// The length of the frame that is next with its header; 0 where it is not known, or is a fault.
  std::size_t announced();
  void move_to_front();

  std::size_t message_limit_;
  std::size_t chunk_limit_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;  // of the frame that is next
  std::size_t end_ = 0;    // of the bytes that have come
  std::size_t taken_ = 0;  // bytes of the frame handed out by next(), dropped by the call after it
  FrameKind last_kind_ = FrameKind::message;  // of the frame that next() gave last
  FrameFault fault_ = FrameFault::none;
};

}  // namespace fl::wire
