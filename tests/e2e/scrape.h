#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <sstream>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "tests/e2e/federation.h"

namespace fl::test {

/// What a server answers to these bytes until it closes.
inline std::string answer_over_http(std::uint16_t port, const std::string& request) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::socket socket(context);
  socket.connect({boost::asio::ip::address_v4::loopback(), port});
  boost::system::error_code end;
  boost::asio::write(socket, boost::asio::buffer(request), end);
  std::string answer;
  boost::asio::read(socket, boost::asio::dynamic_buffer(answer), end);
  return answer;
}

/// The metrics of a running server, read over HTTP as Prometheus does.
class Scrape {
 public:
  /// The server has just been started; nothing else has waited for its lines.
  explicit Scrape(Federation& federation) {
    const std::string line = federation.server().wait_for_line("metrics are at http://127.0.0.1:");
    const std::size_t colon = line.rfind(':');
    port_ = static_cast<std::uint16_t>(std::stoul(line.substr(colon + 1)));
  }

  std::uint16_t port() const { return port_; }

  /// A figure by name and labels; none where it is not there.
  std::optional<double> figure(const std::string& name) const {
    std::istringstream lines(answer_over_http(port_, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(name + " ")) return std::stod(line.substr(name.size()));
    }
    return std::nullopt;
  }

  /// Asks until the figure is as it should be, for at most a minute; whether it came to that.
  bool await(const std::string& name, const std::function<bool(double)>& as_it_should_be) const {
    const auto end = std::chrono::steady_clock::now() + Process::Seconds(60);
    while (std::chrono::steady_clock::now() < end) {
      if (as_it_should_be(figure(name).value_or(0))) return true;
    }
    return false;
  }

 private:
  std::uint16_t port_ = 0;
};

}  // namespace fl::test
