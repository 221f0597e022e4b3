#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/engine/engine.h"
#include "common/model/manifest.h"

namespace fl::client {

/// A version that this device accepted: its manifest as signed and as verified, and how it did here.
struct StoredVersion {
  SignedManifest signed_manifest;
  Manifest manifest;
  std::optional<Evaluation> evaluation;  ///< On the examples held out on this device, where there were any.
};

/// What champion.json and last-good.json hold.
struct VersionFile {
  StoredVersion version;
  std::uint64_t highest = 0;  ///< The highest version that this device had accepted when it was written (I6).
};

/// Writes the file atomically.
void write_version_file(const std::filesystem::path& path, const VersionFile& content);

/// Nothing where there is no such file. Throws Error: invalid_data where it is damaged; unauthenticated where
/// its manifest is not signed by `key`; both naming the file.
std::optional<VersionFile> read_version_file(const std::filesystem::path& path, const std::string& task,
                                             const PublicKey& key);

}  // namespace fl::client
