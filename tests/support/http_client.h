#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

namespace fl::test {

struct HttpAnswer {
  unsigned status = 0;
  std::map<std::string, std::string> fields;  ///< Names in lower case.
  std::string body;
};

/// A connection that asks over HTTP and waits for the answer, as often as the server lets it.
class HttpClient {
 public:
  using Fields = std::map<std::string, std::string>;

  explicit HttpClient(std::uint16_t port) : port_(port) {
    socket_.connect({boost::asio::ip::address_v4::loopback(), port});
  }

  /// Adds Host and Content-Length unless they are given.
  HttpAnswer ask(const std::string& method, const std::string& target, Fields fields = {},
                 const std::string& body = "") {
    fields.emplace("Host", "127.0.0.1:" + std::to_string(port_));
    if (!body.empty() || method == "POST") fields.emplace("Content-Length", std::to_string(body.size()));
    std::string request = method + " " + target + " HTTP/1.1\r\n";
    for (const auto& [name, value] : fields) request += name + ": " + value + "\r\n";
    send(request + "\r\n" + body);
    return answer(method != "HEAD");
  }

  void send(std::string_view bytes) {
    boost::system::error_code closed;
    boost::asio::write(socket_, boost::asio::buffer(bytes), closed);
  }

  /// Throws where the server closes before an answer is whole.
  HttpAnswer answer(bool has_body = true) {
    const std::size_t end =
        boost::asio::read_until(socket_, boost::asio::dynamic_buffer(buffer_), "\r\n\r\n");
    HttpAnswer answer;
    answer.status = static_cast<unsigned>(std::stoul(buffer_.substr(9, 3)));
    for (std::size_t line = buffer_.find("\r\n") + 2; line + 2 < end;) {
      const std::size_t next = buffer_.find("\r\n", line);
      const std::size_t colon = buffer_.find(": ", line);
      std::string name = buffer_.substr(line, colon - line);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      answer.fields[name] = buffer_.substr(colon + 2, next - colon - 2);
      line = next + 2;
    }
    buffer_.erase(0, end);
    const std::size_t length = has_body ? std::stoul(answer.fields["content-length"]) : 0;
    if (buffer_.size() < length) {
      boost::asio::read(socket_, boost::asio::dynamic_buffer(buffer_),
                        boost::asio::transfer_exactly(length - buffer_.size()));
    }
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return answer;
  }

  /// Whether the server has closed, or does.
  bool is_closed() {
    char byte = 0;
    boost::system::error_code end;
    return boost::asio::read(socket_, boost::asio::buffer(&byte, 1), end) == 0;
  }

 private:
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_{context_};
  std::uint16_t port_;
  std::string buffer_;
};

}  // namespace fl::test
