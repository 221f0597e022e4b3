#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "client/home/device_home.h"

namespace fl::client {

/// Joins the federation that `token` names: makes a home with a key of its own, asks the server for a
/// certificate and pins the server's CA and signing key. Blocks; leaves `folder` as it was if it fails.
///
/// Throws Error: already_exists (a home is there); invalid_argument (no token, or a name over 64 bytes);
/// unauthenticated (the server is not the token's, or refuses the token); unavailable, timeout; protocol
/// (what the server sends is no answer).
DeviceHome enrol(const std::filesystem::path& folder, std::string_view token, const std::string& name);

}  // namespace fl::client
