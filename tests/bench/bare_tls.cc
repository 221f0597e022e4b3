#include "tests/bench/bare_tls.h"

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace fl::bench {

namespace ip = boost::asio::ip;

BareTls::BareTls(const test::Fleet& fleet)
    : server_(fleet.server_context()), device_(fleet.device_context()) {
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

void BareTls::send(ByteView chunk, std::size_t total) {
  std::size_t received = 0;
  while (received < total) {
    ByteView rest = chunk;
    while (!rest.empty()) {
      const int count = SSL_write(sender_.get(), rest.data(), static_cast<int>(rest.size()));
      if (count > 0) rest = rest.subspan(static_cast<std::size_t>(count));
      for (std::size_t got = receive(); got > 0; got = receive()) received += got;
    }
  }
}

void BareTls::send_across_threads(ByteView chunk, std::size_t total) {
  near_.native_non_blocking(false);
  far_.native_non_blocking(false);
  const std::jthread sender([&] {
    for (std::size_t sent = 0; sent < total;) {
      const ByteView rest = chunk.subspan(sent % chunk.size());
      const int count = SSL_write(sender_.get(), rest.data(), static_cast<int>(rest.size()));
      if (count <= 0) return;  // the receiver says so
      sent += static_cast<std::size_t>(count);
    }
  });
  for (std::size_t received = 0; received < total;) {
    const std::size_t count = receive();
    if (count == 0) throw std::runtime_error("the bare connection broke");
    received += count;
  }
}

BareTls::Ssl BareTls::over(const net::TlsContext& tls, ip::tcp::socket& socket) {
  socket.native_non_blocking(true);
  socket.set_option(ip::tcp::no_delay(true));
  Ssl ssl(SSL_new(tls.native()));
  SSL_set_fd(ssl.get(), socket.native_handle());
  SSL_set_mode(ssl.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return ssl;
}

std::size_t BareTls::receive() {
  const int count = SSL_read(receiver_.get(), buffer_.data(), static_cast<int>(buffer_.size()));
  return static_cast<std::size_t>(std::max(count, 0));
}

}  // namespace fl::bench
