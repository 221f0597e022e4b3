#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/model/contract.h"
#include "common/model/signing.h"

namespace fl {

/// What a version of a task consists of: hashes of its parts, and what the model takes and gives.
struct Manifest {
  std::string task;
  std::uint64_t version = 0;  ///< Increases by one with every published version; the first is 1.
  Digest archive_hash;        ///< SHA-256 of the TorchScript archive, the same for every version.
  std::uint64_t archive_bytes = 0;
  Digest weights_hash;              ///< SHA-256 of the flat vector's bytes.
  std::uint64_t weights_count = 0;  ///< Elements of the flat vector.
  Digest layout_hash;
  Digest previous;  ///< SHA-256 of the previous version's manifest text; zeros for the first.
  TaskContract contract;

  /// Throws Error(invalid_argument) naming the field that is wrong and what would be right: a task name that
  /// check_task_name() refuses, a version, archive_bytes or weights_count of 0, or a contract that does not
  /// validate.
  void validate() const;
};

/// Throws Error(invalid_argument) unless `name` is 1 to 64 characters of a-z, 0-9, '_' and '-'.
void check_task_name(std::string_view name);

/// JSON text (docs/protocol.md lists the keys).
std::string to_json(const Manifest& manifest);
/// Throws Error(invalid_data) naming the key that is missing, unknown or of the wrong kind, or where the text
/// is longer than model_limits::manifest_bytes. Does not validate().
Manifest manifest_from_json(std::string_view text);

/// A manifest as it travels and as it is stored: its exact text and the server's signature over it.
struct SignedManifest {
  std::string text;
  Signature signature{};

  /// The name of this manifest in the chain of versions.
  Digest hash() const { return sha256(as_bytes(text)); }
};

/// Signs "fl manifest 1\n" followed by the manifest's JSON text; the prefix keeps the signature from being
/// passed off as one over something else. Throws Error(invalid_argument) where the manifest does not
/// validate() or its text is longer than model_limits::manifest_bytes.
SignedManifest sign(const Manifest& manifest, const SigningKey& key);

/// The only way from a received manifest to a Manifest (I6). Throws Error(unauthenticated) if the signature
/// is not `key`'s, before a character of the text is parsed; Error(invalid_data) if the text is no manifest
/// or one that does not validate().
Manifest verify(const SignedManifest& manifest, const PublicKey& key);

}  // namespace fl
