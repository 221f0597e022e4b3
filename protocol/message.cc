#include "protocol/message.h"

#include <algorithm>

#include "protocol/limits.h"

namespace fl::wire {

const Message* verified_message(std::span<const std::byte> payload) {
  // The verifier only asserts its own limit on size, so the length is checked first.
  if (payload.size() < 8 || payload.size() > limits::message_bytes) return nullptr;
  const auto* data = reinterpret_cast<const std::uint8_t*>(payload.data());
  flatbuffers::Verifier verifier(data, payload.size(), limits::message_depth, limits::message_tables);
  if (!VerifyMessageBuffer(verifier)) return nullptr;
  const Message* message = GetMessage(data);
  // The verifier lets bodies pass that it does not know, unread.
  const bool known = message->body_type() > Body::NONE && message->body_type() <= Body::MAX;
  return known && message->body() != nullptr ? message : nullptr;
}

std::string_view text_of(const flatbuffers::String* field) {
  return field == nullptr ? std::string_view() : std::string_view(field->c_str(), field->size());
}

std::span<const std::byte> bytes_of(const flatbuffers::Vector<std::uint8_t>* field) {
  if (field == nullptr) return {};
  return {reinterpret_cast<const std::byte*>(field->data()), field->size()};
}

flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> field_of(flatbuffers::FlatBufferBuilder& builder,
                                                                std::span<const std::byte> bytes) {
  return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

const char* body_name(const Message& message) {
  return EnumNameBody(message.body_type());
}

std::uint16_t negotiated_version(std::uint16_t their_min, std::uint16_t their_max) {
  const std::uint16_t highest = std::min(their_max, limits::protocol_version_max);
  return highest >= std::max(their_min, limits::protocol_version_min) ? highest : std::uint16_t{0};
}

std::vector<std::string> negotiated_features(
    const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* theirs,
    std::span<const std::string_view> ours) {
  std::vector<std::string> common;
  if (theirs == nullptr) return common;
  for (flatbuffers::uoffset_t i = 0; i < std::min<std::size_t>(theirs->size(), limits::features); ++i) {
    const std::string_view feature = text_of(theirs->Get(i));
    const bool shared = std::find(ours.begin(), ours.end(), feature) != ours.end();
    const bool repeated = std::find(common.begin(), common.end(), feature) != common.end();
    if (shared && !repeated) common.emplace_back(feature);
  }
  return common;
}

}  // namespace fl::wire
