#include "tests/bench/bare_tls.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace fl::bench {

namespace ip = boost::asio::ip;

namespace {

constexpr std::array<unsigned char, 5> alpn{4, 'f', 'l', '/', '1'};

void shake_hands(SSL* device, SSL* server) {
  SSL_set_alpn_protos(device, alpn.data(), static_cast<unsigned>(alpn.size()));
  SSL_set_connect_state(device);
  SSL_set_accept_state(server);
  bool ready = false;
  for (int i = 0; !ready; ++i) {
    ready = SSL_do_handshake(device) == 1;
    ready = SSL_do_handshake(server) == 1 && ready;
    if (i > 1'000'000) throw std::runtime_error("the bare handshake came to no end");
  }
}

}  // namespace

BareTls::BareTls(const test::Fleet& fleet)
    : server_(fleet.server_context()), device_(fleet.device_context()) {
  ip::tcp::acceptor acceptor(context_, {ip::address_v4::loopback(), 0});
  near_.connect(acceptor.local_endpoint());
  acceptor.accept(far_);
  sender_ = over(device_, near_);
  receiver_ = over(server_, far_);
  shake_hands(sender_.get(), receiver_.get());
}

double bare_handshakes_a_second(const test::Fleet& fleet, std::size_t count) {
  const net::TlsContext server = fleet.server_context();
  const net::TlsContext device = fleet.device_context();
  const std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t each = count / threads;
  const auto shake = [&] {
    boost::asio::io_context context;
    ip::tcp::acceptor acceptor(context, {ip::address_v4::loopback(), 0});
    for (std::size_t i = 0; i < each; ++i) {
      ip::tcp::socket near(context);
      near.connect(acceptor.local_endpoint());
      ip::tcp::socket far = acceptor.accept();
      shake_hands(BareTls::over(device, near).get(), BareTls::over(server, far).get());
    }
  };
  const auto begun = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> others(threads - 1);
    for (std::jthread& other : others) other = std::jthread(shake);
    shake();
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
  return static_cast<double>(each * threads) / seconds.count();
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
