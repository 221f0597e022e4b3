#pragma once

#include <cstdint>

#include "common/net/openssl.h"

namespace fl::net {

/// A connected, non-blocking socket as OpenSSL reads and writes it. Unlike OpenSSL's own it never raises
/// SIGPIPE, whatever the process does about that signal, and counts.
struct SocketIo {
  int descriptor = -1;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  int error = 0;               ///< errno of what failed last, 0 where nothing did.
  bool end_of_stream = false;  ///< The peer will send no more.
};

/// Refers to `io`, which outlives it; does not own the descriptor.
BioPtr make_socket_bio(SocketIo& io);

}  // namespace fl::net
