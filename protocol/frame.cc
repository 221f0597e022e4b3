#include "protocol/frame.h"

#include <algorithm>
#include <cstring>

#include "protocol/limits.h"

namespace fl::wire {
namespace {

// What a connection that is silent costs; grows only to a length that a valid header announced.
constexpr std::size_t initial_buffer_bytes = 1024;

std::size_t payload_length(std::span<const std::byte> header) {
  std::size_t length = 0;
  for (std::size_t i = 4; i-- > 0;) length = length * 256 + std::to_integer<std::size_t>(header[i]);
  return length;
}

FrameFault header_fault(std::span<const std::byte> header, std::size_t message_limit,
                        std::size_t chunk_limit) {
  const auto kind = static_cast<FrameKind>(header[4]);
  if (kind < FrameKind::message || kind > FrameKind::compressed_chunk) return FrameFault::unknown_kind;
  for (std::size_t i = 5; i < frame_header_bytes; ++i) {
    if (header[i] != std::byte{0}) return FrameFault::reserved_not_zero;
  }
  const std::size_t length = payload_length(header);
  if (length == 0) return FrameFault::empty;
  const std::size_t limit = kind == FrameKind::message ? message_limit : chunk_limit;
  return length > limit ? FrameFault::too_large : FrameFault::none;
}

}  // namespace

std::array<std::byte, frame_header_bytes> frame_header(FrameKind kind, std::size_t length) {
  std::array<std::byte, frame_header_bytes> header{};
  for (std::size_t i = 0; i < 4; ++i) header[i] = static_cast<std::byte>(length >> (8 * i));
  header[4] = static_cast<std::byte>(kind);
  return header;
}

const char* sentence(FrameFault fault) {
  switch (fault) {
    case FrameFault::none:
      return "no fault";
    case FrameFault::unknown_kind:
      return "a frame's kind must be 1 (message), 2 (chunk) or 3 (compressed chunk)";
    case FrameFault::reserved_not_zero:
      return "bytes 5 to 7 of a frame's header must be zero";
    case FrameFault::empty:
      return "a frame's payload must not be empty";
    case FrameFault::too_large:
      return "a frame announces a payload over the limit";
  }
  return "no fault";
}

FrameDecoder::FrameDecoder(std::size_t message_limit, std::size_t chunk_limit)
    : message_limit_(message_limit), chunk_limit_(chunk_limit) {}

void FrameDecoder::set_limits(std::size_t message_limit, std::size_t chunk_limit) {
  message_limit_ = message_limit;
  chunk_limit_ = chunk_limit;
}

bool FrameDecoder::between_frames() const {
  return begin_ + taken_ == end_;
}

void FrameDecoder::drop_taken() {
  begin_ += taken_;
  taken_ = 0;
}

std::span<std::byte> FrameDecoder::pending() {
  return std::span(buffer_).subspan(begin_, end_ - begin_);
}

std::size_t FrameDecoder::announced() {
  if (fault_ != FrameFault::none || end_ - begin_ < frame_header_bytes) return 0;
  fault_ = header_fault(pending(), message_limit_, chunk_limit_);
  return fault_ == FrameFault::none ? frame_header_bytes + payload_length(pending()) : 0;
}

void FrameDecoder::move_to_front() {
  if (begin_ == 0) return;
  if (end_ > begin_) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

std::span<std::byte> FrameDecoder::space() {
  drop_taken();
  const std::size_t whole = announced();
  if (fault_ != FrameFault::none) return {};
  move_to_front();
  if (end_ == 0 && last_kind_ == FrameKind::message && buffer_.size() > initial_buffer_bytes) {
    buffer_ = std::vector<std::byte>();  // no chunks come at present
  }
  const std::size_t wanted = std::max(initial_buffer_bytes, std::min(whole, 2 * end_));
  if (buffer_.size() < wanted) buffer_.resize(wanted);
  return std::span(buffer_).subspan(end_);
}

void FrameDecoder::filled(std::size_t count) {
  end_ += count;
}

std::optional<Frame> FrameDecoder::next() {
  drop_taken();
  const std::size_t whole = announced();
  if (whole == 0 || end_ - begin_ < whole) return std::nullopt;
  taken_ = whole;
  last_kind_ = static_cast<FrameKind>(buffer_[begin_ + 4]);
  // Messages are read in place and hold 64-bit fields: this one frame moves back over what was taken before
  // it.
  const std::size_t aligned = begin_ - begin_ % alignof(std::uint64_t);
  if (aligned != begin_) std::memmove(buffer_.data() + aligned, buffer_.data() + begin_, whole);
  return Frame{last_kind_,
               std::span(buffer_).subspan(aligned + frame_header_bytes, whole - frame_header_bytes)};
}

}  // namespace fl::wire
