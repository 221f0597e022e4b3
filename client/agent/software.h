#pragma once

namespace fl::client {

/// How the device names itself to the server, for the server's log.
inline constexpr const char* software_name = "fl-client 0.1.0";

}  // namespace fl::client
