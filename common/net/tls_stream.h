#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/net/certificates.h"
#include "common/net/openssl.h"
#include "common/net/socket_bio.h"
#include "common/net/tls.h"

namespace fl::net {

/// TLS over a connected, non-blocking socket, without waiting: each call does what the socket allows at once
/// and says what to wait for before it is made again. One thread at a time. Does not own the socket.
///
/// Errors of every call, their sentences beginning with `peer`: Error(unauthenticated) where one side does
/// not believe the other; Error(protocol) where the peer breaks TLS; Error(unavailable) where the network
/// fails. After one, every later call throws the same; but after a write that failed with unavailable, reads
/// go on, so that what the peer said before it closed is not lost.
class TlsStream {
 public:
  enum class Outcome : std::uint8_t { done, want_read, want_write, closed };
  struct Result {
    Outcome outcome = Outcome::done;
    std::size_t count = 0;  ///< Bytes, where it is done.
  };

  TlsStream(const TlsContext& tls, int descriptor, std::string peer);
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  Result handshake();
  /// Never reads into an empty span. `closed`: the peer sends no more.
  Result read(std::span<std::byte> space);
  /// At most one record at a time. Where it has to wait, the same bytes must be given again.
  Result write(ByteView bytes);
  /// Says goodbye (close_notify) where that is possible at once. The last call.
  void goodbye();

  /// After the handshake: see Connection.
  std::string_view alpn() const { return alpn_; }
  bool resumed() const;
  std::optional<Certificate> peer_certificate() const;
  std::optional<Certificate> peer_authority() const;

  std::uint64_t received() const { return io_.received; }
  std::uint64_t sent() const { return io_.sent; }

 private:
  Result outcome_of(int returned, std::size_t count);
  [[noreturn]] Result failed(const Error& error);
  [[noreturn]] void write_failed();
  void begin_call();
  void finish_handshake();
  std::optional<Error> alert_in_store();

  const TlsContext tls_;  // also what keeps the callbacks' data alive
  const std::string peer_;
  SocketIo io_;
  SslPtr ssl_;
  std::string_view alpn_;
  bool shaken_ = false;
  bool record_waits_ = false;  // a write that was begun has to be made again
  std::optional<Error> fault_;
};

}  // namespace fl::net
