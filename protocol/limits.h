#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Every limit of the wire, in one place. Nothing from the network is allocated or read beyond them (I8).
namespace fl::limits {

inline constexpr std::uint16_t protocol_version_min = 1;
inline constexpr std::uint16_t protocol_version_max = 1;

/// A frame's payload: a message, or a chunk of bulk bytes.
inline constexpr std::size_t message_bytes = std::size_t{512} << 10U;
inline constexpr std::size_t chunk_bytes = std::size_t{1} << 20U;
/// What we send as one chunk: small enough to go within frame_time at 9 kB/s.
inline constexpr std::size_t sent_chunk_bytes = std::size_t{256} << 10U;

/// A message from a peer that has not proved who it is yet.
inline constexpr std::size_t first_message_bytes = std::size_t{32} << 10U;

/// What a FlatBuffers message may nest and hold.
inline constexpr unsigned message_depth = 16;
inline constexpr unsigned message_tables = 64;

/// Fields of messages.
inline constexpr std::size_t features = 32;
inline constexpr std::size_t name_bytes = 64;
inline constexpr std::size_t tasks = 64;
inline constexpr std::size_t sentence_bytes = 1024;
inline constexpr std::size_t certificate_bytes = std::size_t{16} << 10U;
inline constexpr std::size_t token_bytes = 64;

/// The largest delta and the largest part of a version, unless the task or the device says less.
inline constexpr std::uint64_t transfer_bytes = std::uint64_t{64} << 30U;

/// What a peer that has not proved anything may take.
inline constexpr std::chrono::seconds handshake_time{10};
inline constexpr std::chrono::seconds hello_time{10};
/// For a message or a chunk to go, or to come once it has begun.
inline constexpr std::chrono::seconds frame_time{30};
/// For an answer that needs no training.
inline constexpr std::chrono::seconds reply_time{60};
/// For which a device that comes back is known by the ticket of the connection before.
inline constexpr std::chrono::hours ticket_time{24};
/// Something must come this often; each side sends KeepAlive at a third of it.
inline constexpr std::chrono::seconds idle_time{90};
/// For an update of so many bytes to come, at 8 KiB a second and slower at no time for long.
constexpr std::chrono::seconds transfer_time(std::uint64_t bytes) {
  return idle_time + std::chrono::seconds(bytes >> 13U);
}

}  // namespace fl::limits
