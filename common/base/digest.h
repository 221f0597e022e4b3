#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace fl {

/// A SHA-256 digest (FIPS 180-4): the name of a blob, of a layout, of a certificate.
struct Digest {
  std::array<std::byte, 32> bytes{};

  /// 64 lower-case hexadecimal digits.
  std::string hex() const { return to_hex(bytes); }
  /// Throws Error(invalid_data) unless `text` is 64 hexadecimal digits.
  static Digest from_hex(std::string_view text);
  /// Throws Error(invalid_data) unless there are exactly 32 bytes.
  static Digest from_bytes(ByteView bytes);

  friend bool operator==(const Digest& a, const Digest& b) { return a.bytes == b.bytes; }
  friend bool operator!=(const Digest& a, const Digest& b) { return !(a == b); }
  friend bool operator<(const Digest& a, const Digest& b) { return a.bytes < b.bytes; }
};

/// SHA-256 of a stream of bytes, as it passes. Movable; one thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(ByteView bytes);
  /// Ends the stream. Only the destructor or assignment may follow.
  Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// SHA-256 of bytes that are all there.
Digest sha256(ByteView bytes);

}  // namespace fl
