#include <chrono>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include "tests/e2e/federation.h"

using namespace fl::test;

namespace asio = boost::asio;

namespace {

/// What a peer gets that throws these bytes at the port: everything until the server closes.
std::string thrown_at(std::uint16_t port, const std::string& bytes) {
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  socket.connect({asio::ip::address_v4::loopback(), port});
  boost::system::error_code error;
  asio::write(socket, asio::buffer(bytes), error);
  std::string answer;
  asio::read(socket, asio::dynamic_buffer(answer), error);
  return answer;
}

}  // namespace

TEST_CASE("ten kilobytes of plain HTTP cost the server one closed connection (I8)") {
  Federation federation({});
  federation.start_server();
  std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Padding: ";
  request += std::string(10'240 - request.size() - 4, 'x') + "\r\n\r\n";
  thrown_at(federation.port(), request);
  federation.server().wait_for_line("does not speak TLS");
  federation.start_devices();
  federation.wait_for_version(4);
  CHECK(federation.stop_server().exit_code == 0);
}

TEST_CASE("a server stops at once when asked with no device connected and with idle ones") {
  Federation::Settings settings;
  settings.rounds = 1;
  Federation federation(settings);
  federation.start_server();
  CHECK(federation.stop_server().exit_code == 0);
  federation.start_server();
  federation.start_devices();
  for (std::uint32_t device = 0; device < 2; ++device) {
    federation.device(device).wait_for_line("version 2 of motion serves now");
  }
  // A server that waits for its devices gives up after 10 seconds.
  const auto asked = std::chrono::steady_clock::now();
  CHECK(federation.stop_server().exit_code == 0);
  CHECK(std::chrono::steady_clock::now() - asked < std::chrono::seconds(8));
}
