#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>

#include "common/base/digest.h"
#include "common/model/difference.h"

namespace fl::client {

/// Makes the weights of a version, so many `elements` that hash to `hash`, in a file at `target`: of those of
/// another version and of the difference, which are read and worked on in pieces. Throws Error: not_found or
/// invalid_data where one of them is missing, cut off or not what it was, also where what they come to has
/// another hash; cancelled where `stop` asks for it; as the system fails. There is no file at `target` then.
void rebuild_weights(const std::filesystem::path& base, const std::filesystem::path& difference_file,
                     const Difference& difference, std::uint64_t elements, const Digest& hash,
                     const std::filesystem::path& target, const std::stop_token& stop);

}  // namespace fl::client
