#include <csignal>

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

TEST_CASE("a server without devices stops at once when asked") {
  Federation federation({});
  federation.start_server();
  const Ended ended = federation.stop_server();
  CHECK(ended.exit_code == 0);
}
