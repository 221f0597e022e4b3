#pragma once

#include <filesystem>
#include <functional>

#include "common/base/bytes.h"
#include "common/base/digest.h"

namespace fl::server {

/// Reads a file from its start to its end, a piece at a time, and returns the hash of it all. Throws Error
/// naming the path: not_found, or as the system fails.
Digest for_each_piece(const std::filesystem::path& path, const std::function<void(ByteView)>& visit);

/// Is told of each piece of work how many bytes it had.
using Watch = std::function<void(std::uint64_t bytes)>;

}  // namespace fl::server
