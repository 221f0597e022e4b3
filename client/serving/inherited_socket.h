#pragma once

#include <optional>

namespace fl::client {

/// The listening socket that whoever started this process has opened for it, as systemd's socket activation
/// does (sd_listen_fds(3)): file descriptor 3, where LISTEN_PID is this process and LISTEN_FDS is 1. Nothing
/// where there is none. Throws Error(invalid_argument) where there are several. Takes the variables out of
/// the environment: to be called before there are threads.
std::optional<int> inherited_socket();

}  // namespace fl::client
