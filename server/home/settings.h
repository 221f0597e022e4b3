#pragma once

#include <filesystem>
#include <string>

#include "server/home/server_home.h"

/// fl-server.ini. Private to server/home.
namespace fl::server {

/// The file's text for `config`: every setting with its explanation.
std::string settings_text(const ServerConfig& config);

/// Throws Error: not_found; invalid_argument naming file, line and key of a setting that is unknown, comes
/// twice or has a wrong value.
ServerConfig read_settings(const std::filesystem::path& file);

/// Throws Error(invalid_argument) naming the setting that is wrong and what would be right.
void check_settings(const ServerConfig& config);

}  // namespace fl::server
