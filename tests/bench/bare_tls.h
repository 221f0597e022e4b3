#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <openssl/ssl.h>

#include "tests/unit/net/loopback.h"

namespace fl::bench {

/// How many whole handshakes a second OpenSSL alone makes, of `count` over loopback, each with both its ends
/// on one thread, on every core: the same keys and contexts as those of a net::Connection. What devices
/// cannot connect faster than where they share a machine with their server.
double bare_handshakes_a_second(const test::Fleet& fleet, std::size_t count);

/// Both ends of a TLS connection over loopback with nothing but OpenSSL: the same keys, ciphers and chunks as
/// a net::Connection. What a transfer cannot be faster than.
class BareTls {
 public:
  explicit BareTls(const test::Fleet& fleet);

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  using Ssl = std::unique_ptr<SSL, Free>;

  /// One end over a connected socket, which is not blocking from then on.
  static Ssl over(const net::TlsContext& tls, boost::asio::ip::tcp::socket& socket);

  /// Sends `chunk` until `total` bytes have arrived, both ends on this thread.
  void send(ByteView chunk, std::size_t total);
  /// The same with a thread for each end.
  void send_across_threads(ByteView chunk, std::size_t total);

 private:
  std::size_t receive();

  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket near_{context_};
  boost::asio::ip::tcp::socket far_{context_};
  net::TlsContext server_;
  net::TlsContext device_;
  Ssl sender_;
  Ssl receiver_;
  std::array<std::byte, std::size_t{16} << 10U> buffer_{};
};

}  // namespace fl::bench
