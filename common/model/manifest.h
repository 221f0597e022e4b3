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
  std::uint64_t version = 0;       ///< Increases by one with every published version; the first is 1.
  Digest archive_hash;             ///< SHA-256 of the TorchScript archive, the same for every version.
  std::uint64_t archive_bytes = 0;
  Digest weights_hash;             ///< SHA-256 of the flat vector's bytes.
  std::uint64_t weights_count = 0; ///< Elements of the flat vector.
  Digest layout_hash;
  Digest previous;                 ///< SHA-256 of the previous version's manifest text; zeros for the first.
  TaskContract contract;
};

std::string to_json(const Manifest& manifest);
/// Throws Error(invalid_data) naming the key that is missing, unknown or of the wrong kind.
Manifest manifest_from_json(std::string_view text);

/// A manifest as it travels and as it is stored: its exact text and the server's signature over it.
struct SignedManifest {
  std::string text;
  Signature signature{};

  /// The name of this manifest in the chain of versions.
  Digest hash() const { return sha256(as_bytes(text)); }
};

/// Signs "fl manifest 1\n" followed by the manifest's JSON text; the prefix keeps the signature from being
/// passed off as one over something else.
SignedManifest sign(const Manifest& manifest, const SigningKey& key);

/// The only way from a received manifest to a Manifest (I6). Throws Error(unauthenticated) if the signature
/// is not `key`'s, before a character of the text is parsed; Error(invalid_data) if the text is no manifest.
Manifest verify(const SignedManifest& manifest, const PublicKey& key);

}  // namespace fl
