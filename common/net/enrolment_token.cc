#include "common/net/enrolment_token.h"

#include <algorithm>
#include <array>

#include "common/base/error.h"

namespace fl::net {
namespace {

constexpr std::string_view prefix = "fl1:";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t digest_bytes = 32;
constexpr std::size_t secret_size = 32;
constexpr std::size_t port_bytes = 2;
constexpr std::size_t fixed_bytes = digest_bytes + secret_size + port_bytes;
constexpr std::size_t checksum_bytes = 4;
constexpr std::size_t longest_text = 1024;

[[noreturn]] void refuse(const char* why) {
  throw Error(ErrorCode::invalid_argument, std::string("the enrolment token ") + why +
                                               "; copy the whole line that fl-server token printed");
}

std::string to_base64url(ByteView bytes) {
  std::string text;
  unsigned held = 0;
  unsigned bits = 0;
  for (const std::byte byte : bytes) {
    held = (held << 8U) | std::to_integer<unsigned>(byte);
    for (bits += 8; bits >= 6; bits -= 6) text += alphabet[(held >> (bits - 6)) & 63U];
  }
  if (bits > 0) text += alphabet[(held << (6 - bits)) & 63U];
  return text;
}

Bytes from_base64url(std::string_view text) {
  Bytes bytes;
  unsigned held = 0;
  unsigned bits = 0;
  for (const char character : text) {
    const std::size_t value = alphabet.find(character);
    if (value == std::string_view::npos) refuse("has a character that no token has");
    held = (held << 6U) | static_cast<unsigned>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<std::byte>(held >> bits));
  }
  // Each token has one text: what is left over of the last character is zero, and less than a character.
  if (bits >= 6 || (held & ((1U << bits) - 1U)) != 0) refuse("is cut off or mistyped");
  return bytes;
}

Bytes checksum(ByteView content) {
  const Digest digest = sha256(content);
  return {digest.bytes.begin(), digest.bytes.begin() + checksum_bytes};
}

std::string_view without_space_around(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

Endpoint endpoint_of(ByteView host, std::uint16_t port) {
  Endpoint endpoint;
  endpoint.host = as_text(host);
  endpoint.port = port;
  try {
    return Endpoint::parse(endpoint.text());
  } catch (const Error&) {
    refuse("names no server");
  }
}

}  // namespace

std::string EnrolmentToken::text() const {
  if (secret.size() != secret_size) {
    throw Error(ErrorCode::invalid_argument,
                "an enrolment token's secret has 32 bytes, not " + std::to_string(secret.size()));
  }
  Bytes content(authority_fingerprint.bytes.begin(), authority_fingerprint.bytes.end());
  content.insert(content.end(), secret.begin(), secret.end());
  content.push_back(static_cast<std::byte>(server.port >> 8U));
  content.push_back(static_cast<std::byte>(server.port));
  const ByteView host = as_bytes(server.host);
  content.insert(content.end(), host.begin(), host.end());
  const Bytes sum = checksum(content);
  content.insert(content.end(), sum.begin(), sum.end());
  return std::string(prefix) + to_base64url(content);
}

EnrolmentToken EnrolmentToken::parse(std::string_view text) {
  text = without_space_around(text);
  if (!text.starts_with(prefix)) refuse("does not begin with fl1:");
  if (text.size() > longest_text) refuse("is too long");
  const Bytes all = from_base64url(text.substr(prefix.size()));
  if (all.size() <= fixed_bytes + checksum_bytes) refuse("is cut off");
  const ByteView content = ByteView(all).first(all.size() - checksum_bytes);
  const Bytes sum = checksum(content);
  const ByteView shown = ByteView(all).last(checksum_bytes);
  if (!std::equal(sum.begin(), sum.end(), shown.begin())) refuse("is cut off or mistyped");

  EnrolmentToken token;
  token.authority_fingerprint = Digest::from_bytes(content.first(digest_bytes));
  const ByteView secret = content.subspan(digest_bytes, secret_size);
  token.secret.assign(secret.begin(), secret.end());
  const ByteView port = content.subspan(digest_bytes + secret_size, port_bytes);
  const auto number = static_cast<std::uint16_t>(std::to_integer<unsigned>(port[0]) << 8U |
                                                 std::to_integer<unsigned>(port[1]));
  token.server = endpoint_of(content.subspan(fixed_bytes), number);
  return token;
}

}  // namespace fl::net
