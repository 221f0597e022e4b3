#pragma once

#include <array>
#include <filesystem>
#include <memory>

#include "common/base/bytes.h"

namespace fl {

/// An Ed25519 signature (RFC 8032).
using Signature = std::array<std::byte, 64>;

/// The half of a signing key that everybody may have: 32 bytes. A value; any thread.
struct PublicKey {
  std::array<std::byte, 32> bytes{};

  /// Throws Error(invalid_data) unless there are exactly 32 bytes.
  static PublicKey from_bytes(ByteView bytes);
  /// Whether `signature` is this key's over `message`.
  bool verifies(ByteView message, const Signature& signature) const;

  friend bool operator==(const PublicKey& a, const PublicKey& b) { return a.bytes == b.bytes; }
};

/// The half that stays in the server's home. Movable; one thread at a time.
class SigningKey {
 public:
  /// A new key from the operating system's randomness.
  static SigningKey generate();
  /// Reads PEM (PKCS #8). Throws Error: not_found, or invalid_data where it is no Ed25519 key or
  /// is encrypted.
  static SigningKey load(const std::filesystem::path& path);
  /// Writes PEM (PKCS #8), mode 0600, atomically.
  void save(const std::filesystem::path& path) const;

  PublicKey public_key() const;
  Signature sign(ByteView message) const;

  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

 private:
  struct Key;
  explicit SigningKey(std::unique_ptr<Key> key);
  std::unique_ptr<Key> key_;
};

}  // namespace fl
