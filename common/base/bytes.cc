#include "common/base/bytes.h"

#include <bit>

#include "common/base/error.h"

namespace fl {

static_assert(std::endian::native == std::endian::little,
              "weights are little-endian on disk and on the wire");

std::string to_hex(ByteView bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (std::byte value : bytes) {
    text += digits[std::to_integer<unsigned>(value) >> 4U];
    text += digits[std::to_integer<unsigned>(value) & 15U];
  }
  return text;
}

namespace {

unsigned digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a') + 10;
  if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A') + 10;
  throw Error(ErrorCode::invalid_data, std::string("'") + digit + "' is not a hexadecimal digit");
}

}  // namespace

Bytes from_hex(std::string_view text) {
  if (text.size() % 2 != 0) {
    throw Error(ErrorCode::invalid_data, "hexadecimal text has an odd number of digits");
  }
  Bytes bytes(text.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(digit_value(text[2 * i]) * 16 + digit_value(text[2 * i + 1]));
  }
  return bytes;
}

}  // namespace fl
