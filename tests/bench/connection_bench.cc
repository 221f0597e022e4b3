#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>

#include <boost/asio/ip/tcp.hpp>
#include <openssl/ssl.h>

#include "tests/bench/beside.h"
#include "tests/unit/net/loopback.h"

namespace {

using namespace fl;

constexpr std::size_t transfer = std::size_t{64} << 20U;

struct Free {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

/// Both ends of a TLS connection over loopback with nothing but OpenSSL: the same keys, ciphers and chunks.
class BareTls {
 public:
  explicit BareTls(const test::Fleet& fleet)
      : server_(fleet.server_context()), device_(fleet.device_context()) {
    namespace ip = boost::asio::ip;
    ip::tcp::acceptor acceptor(context_, {ip::address_v4::loopback(), 0});
    near_.connect(acceptor.local_endpoint());
    acceptor.accept(far_);
    sender_ = over(device_, near_);
    receiver_ = over(server_, far_);
    SSL_set_alpn_protos(sender_.get(),
                        reinterpret_cast<const unsigned char*>("\x04"
                                                               "fl/1"),
                        5);
    SSL_set_connect_state(sender_.get());
    SSL_set_accept_state(receiver_.get());
    bool ready = false;
    for (int i = 0; !ready; ++i) {
      ready = SSL_do_handshake(sender_.get()) == 1;
      ready = SSL_do_handshake(receiver_.get()) == 1 && ready;
      if (i > 1'000'000) throw std::runtime_error("the bare handshake came to no end");
    }
  }

  void send(ByteView bytes) {
    std::size_t received = 0;
    while (received < transfer) {
      ByteView rest = bytes;
      while (!rest.empty()) {
        const int count = SSL_write(sender_.get(), rest.data(), static_cast<int>(rest.size()));
        if (count > 0) rest = rest.subspan(static_cast<std::size_t>(count));
        received += drain();
      }
    }
  }

 private:
  std::unique_ptr<SSL, Free> over(const net::TlsContext& tls, boost::asio::ip::tcp::socket& socket) {
    socket.non_blocking(true);
    socket.set_option(boost::asio::ip::tcp::no_delay(true));
    std::unique_ptr<SSL, Free> ssl(SSL_new(tls.native()));
    SSL_set_fd(ssl.get(), socket.native_handle());
    SSL_set_mode(ssl.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ssl;
  }

  std::size_t drain() {
    std::size_t received = 0;
    for (int count = 1; count > 0;) {
      count = SSL_read(receiver_.get(), buffer_.data(), static_cast<int>(buffer_.size()));
      received += static_cast<std::size_t>(std::max(count, 0));
    }
    return received;
  }

  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket near_{context_};
  boost::asio::ip::tcp::socket far_{context_};
  net::TlsContext server_;
  net::TlsContext device_;
  std::unique_ptr<SSL, Free> sender_;
  std::unique_ptr<SSL, Free> receiver_;
  std::array<std::byte, std::size_t{16} << 10U> buffer_{};
};

test::Task<> send_all(net::Connection& connection, ByteView chunk) {
  for (std::size_t sent = 0; sent < transfer; sent += chunk.size()) {
    co_await connection.write_chunk(chunk, test::Loopback::limit);
  }
}

test::Task<> receive_all(net::Connection& connection) {
  for (std::size_t received = 0; received < transfer;) {
    const wire::Frame frame = co_await connection.read_frame(test::Loopback::limit);
    received += frame.payload.size();
  }
}

/// Bytes a second through a Connection, both ends on one thread. The limit: OpenSSL alone.
void connection(benchmark::State& state) {
  const test::Fleet fleet;
  test::Loopback loopback;
  test::Pair pair(loopback, fleet);
  BareTls bare(fleet);
  const Bytes chunk(limits::sent_chunk_bytes);
  fl::bench::measure_beside(
      state, static_cast<double>(transfer),
      [&] {
        loopback.run([&] { return send_all(*pair.device, chunk); },
                     [&] { return receive_all(*pair.server); });
      },
      [&] { bare.send(chunk); });
}

}  // namespace

BENCHMARK(connection)->UseManualTime();
