#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flatbuffers/flatbuffers.h>

#include "protocol/message_generated.h"

/// Messages: verified before they are read, built in one call.
namespace fl::wire {

/// The message in a frame's payload, or null where it does not verify within limits.h or its body is of a
/// kind that this version does not know (I8). The pointer is into `payload`, which must be 8-byte aligned as
/// a Frame's is, and valid as long as it is. Fields may still be absent: see the accessors below.
const Message* verified_message(std::span<const std::byte> payload);

/// Builds a message around a body that `make` creates: make(FlatBufferBuilder&) returns the body's offset.
/// `Table` is the body's generated type. The result is a frame's payload.
template <typename Table, typename Make>
flatbuffers::DetachedBuffer make_message(Make make) {
  flatbuffers::FlatBufferBuilder builder(256);
  const flatbuffers::Offset<Table> body = make(builder);
  FinishMessageBuffer(builder, CreateMessage(builder, BodyTraits<Table>::enum_value, body.Union()));
  return builder.Release();
}

inline std::span<const std::byte> as_bytes(const flatbuffers::DetachedBuffer& buffer) {
  return {reinterpret_cast<const std::byte*>(buffer.data()), buffer.size()};
}

/// A field that may be absent, as text or bytes; empty where it is absent.
std::string_view text_of(const flatbuffers::String* field);
std::span<const std::byte> bytes_of(const flatbuffers::Vector<std::uint8_t>* field);

/// Bytes as a field of a message that is being built.
flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> field_of(flatbuffers::FlatBufferBuilder& builder,
                                                                std::span<const std::byte> bytes);

/// The name of a body's type, for logs: "UpdateAnnounce".
const char* body_name(const Message& message);

/// The highest version in both ranges; 0 where there is none.
std::uint16_t negotiated_version(std::uint16_t their_min, std::uint16_t their_max);
/// Their features that are among ours, each once, in their order, within limits.h.
std::vector<std::string> negotiated_features(
    const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* theirs,
    std::span<const std::string_view> ours);

}  // namespace fl::wire
