#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <flatbuffers/flatbuffers.h>

#include "common/base/bytes.h"
#include "common/net/certificates.h"
#include "common/net/endpoint.h"
#include "common/net/tls.h"
#include "protocol/frame.h"
#include "protocol/message.h"

namespace fl::net {

/// A TLS connection that carries frames.
///
/// Threads: every call, and every coroutine that awaits one, runs on the executor of the socket, which must
/// be a strand or a single thread's. One coroutine may read while others write: writes are whole frames, one
/// after another in the order they were asked for.
///
/// Errors, thrown by every awaiting call: Error(timeout) where the limit passed; Error(unavailable) where the
/// peer closed or the network failed; Error(protocol) where the bytes are no frames, a frame is over its
/// limit or was cut off; Error(cancelled) after close(). After any of them only close() and the destructor
/// may follow, and after a fault of the peer's, Error(protocol) from a read, one last message.
///
/// A read may be cancelled (by asio's cancellation, as `read || timer` does) without losing a byte: the next
/// read goes on where it was.
class Connection {
 public:
  using Duration = std::chrono::steady_clock::duration;

  /// Connects, shakes hands and checks the server, within `limit` each. Throws besides the above
  /// Error(unauthenticated) where the server is not the pinned one, or refuses our certificate.
  static boost::asio::awaitable<std::unique_ptr<Connection>> connect(const Endpoint& server,
                                                                     const TlsContext& tls, Duration limit);

  /// Shakes hands on an accepted socket. Throws besides the above Error(unauthenticated) where the peer
  /// speaks no TLS 1.3, no ALPN of ours, or shows no valid certificate on fl/1.
  static boost::asio::awaitable<std::unique_ptr<Connection>> accept(boost::asio::ip::tcp::socket socket,
                                                                    const TlsContext& tls, Duration limit);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  /// Closes, as close() does.
  ~Connection();

  /// The protocol agreed on: alpn_device or alpn_enrolment.
  std::string_view alpn() const;
  /// Whether the device was known by a ticket: see TlsContext.
  bool resumed() const;
  /// The other side's verified certificate; a device that enrols has none.
  const std::optional<Certificate>& peer_certificate() const;
  /// The verified chain's authority, as the other side sent it; for a device that enrols and keeps it.
  std::optional<Certificate> peer_authority() const;
  /// "192.0.2.7:52034", for logs.
  const std::string& peer_address() const;

  /// What a frame may hold from here on; at first a small message and no chunk, until the peer is known.
  void set_limits(std::size_t message_limit, std::size_t chunk_limit);

  /// The next frame, which must begin within `limit` and, once begun, be whole within limits::frame_time, or
  /// `limit` where that is less. Its payload is valid until the next read.
  boost::asio::awaitable<wire::Frame> read_frame(Duration limit);
  /// The next frame as a verified message; a chunk or a message that does not verify is Error(protocol).
  /// Valid until the next read.
  boost::asio::awaitable<const wire::Message*> read_message(Duration limit);

  boost::asio::awaitable<void> write_message(flatbuffers::DetachedBuffer message, Duration limit);
  /// `bytes` must stay valid until this returns; 1 to limits::chunk_bytes of them.
  boost::asio::awaitable<void> write_chunk(ByteView bytes, Duration limit);
  /// The same of what wire::ChunkCompressor made of a chunk, to a peer that takes it.
  boost::asio::awaitable<void> write_compressed_chunk(ByteView bytes, Duration limit);

  /// Says goodbye (close_notify) as far as the network takes it at once, then closes. No error.
  void close();

  /// Bytes of the wire, TLS included.
  std::uint64_t bytes_received() const;
  std::uint64_t bytes_sent() const;

 private:
  struct State;
  explicit Connection(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace fl::net
