#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fl {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

/// The characters of `text` seen as bytes; valid as long as `text` is.
inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// The bytes seen as characters; valid as long as `bytes` are.
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The floats seen as bytes; valid as long as `values` are. The host is little-endian (checked at build).
inline ByteView as_bytes(std::span<const float> values) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(float)};
}

/// Two lower-case hexadecimal digits for each byte.
std::string to_hex(ByteView bytes);

/// Throws Error(invalid_data) unless `text` is an even number of hexadecimal digits.
Bytes from_hex(std::string_view text);

}  // namespace fl
