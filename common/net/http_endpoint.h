#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/net/http_message.h"
#include "common/net/tls.h"

namespace fl::net {

/// What the peers of an HttpEndpoint may take.
struct HttpLimits {
  std::size_t connections = 256;
  std::size_t head_bytes = 8192;
  std::size_t body_bytes = std::size_t{64} << 20U;     ///< Of one request: 413 beyond it.
  std::size_t bodies_bytes = std::size_t{256} << 20U;  ///< Of all that are read or answered: 503 beyond it.
  bool keep_alive = true;                              ///< Whether a connection may ask again.
  std::chrono::milliseconds idle_time{60'000};         ///< For the next request to begin.
  std::chrono::milliseconds head_time{10'000};         ///< For a handshake, and for a head that has begun.
  std::chrono::milliseconds body_time{60'000};
  std::chrono::milliseconds write_time{30'000};
};

/// Speaks HTTP/1.1 with whoever connects, over TLS or without, and has a handler answer. A body is read when
/// its length was announced (411 otherwise) and fits, and the handler has not refused its head; what cannot
/// be parsed is answered with 400 or 431.
///
/// A peer that is slow or silent holds one of a bounded number of connections for a bounded time; where all
/// are taken, the one that has waited longest for a request makes way for a newcomer.
class HttpEndpoint {
 public:
  /// Begins to accept. Connections run on `executor`, which may be that of several threads, each on a strand
  /// of its own. Without `tls` nothing is encrypted.
  HttpEndpoint(const boost::asio::any_io_executor& executor, boost::asio::ip::tcp::acceptor acceptor,
               std::shared_ptr<HttpHandler> handler, std::optional<TlsContext> tls, const HttpLimits& limits);
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;
  /// Accepts no more and ends connections; but requests that are whole are answered before. Does not wait for
  /// that: the handler lives until then.
  ~HttpEndpoint();

  std::uint16_t port() const { return port_; }
  /// Since when nobody has been answered; nothing while somebody is.
  std::optional<std::chrono::steady_clock::time_point> idle_since() const;

 private:
  struct State;
  std::uint16_t port_;
  std::shared_ptr<State> state_;
};

}  // namespace fl::net
