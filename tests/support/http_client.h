#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <openssl/ssl.h>

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

  /// The fields as they stand in a request.
  static std::string lines_of(const Fields& fields) {
    std::string lines;
    for (const auto& [name, value] : fields) lines.append(name).append(": ").append(value).append("\r\n");
    return lines;
  }

  /// Over TLS where it is given how. Throws where that comes to no end.
  explicit HttpClient(std::uint16_t port, std::shared_ptr<ssl_ctx_st> tls = nullptr)
      : port_(port), tls_(std::move(tls)) {
    socket_.connect({boost::asio::ip::address_v4::loopback(), port});
    if (!tls_) return;
    ssl_.reset(SSL_new(tls_.get()));
    SSL_set_fd(ssl_.get(), socket_.native_handle());
    if (SSL_connect(ssl_.get()) != 1) throw std::runtime_error("the handshake has failed");
  }

  /// Adds Host and Content-Length unless they are given.
  HttpAnswer ask(const std::string& method, const std::string& target, Fields fields = {},
                 const std::string& body = "") {
    fields.emplace("Host", "127.0.0.1:" + std::to_string(port_));
    if (!body.empty() || method == "POST") fields.emplace("Content-Length", std::to_string(body.size()));
    std::string request = method + " " + target + " HTTP/1.1\r\n";
    send(request + lines_of(fields) + "\r\n" + body);
    return answer(method != "HEAD");
  }

  /// As far as the server takes it.
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                             : ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  /// Throws where the server closes before an answer is whole.
  HttpAnswer answer(bool has_body = true) {
    while (buffer_.find("\r\n\r\n") == std::string::npos) require_more();
    const std::size_t end = buffer_.find("\r\n\r\n") + 4;
    HttpAnswer answer;
    answer.status = static_cast<unsigned>(std::stoul(buffer_.substr(9, 3)));
    for (std::size_t line = buffer_.find("\r\n") + 2; line + 2 < end;) {
      const std::size_t next = buffer_.find("\r\n", line);
      const std::size_t colon = buffer_.find(": ", line);
      std::string name = buffer_.substr(line, colon - line);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
      answer.fields[name] = buffer_.substr(colon + 2, next - colon - 2);
      line = next + 2;
    }
    const std::size_t length = has_body ? std::stoul(answer.fields["content-length"]) : 0;
    while (buffer_.size() < end + length) require_more();
    answer.body = buffer_.substr(end, length);
    buffer_.erase(0, end + length);
    return answer;
  }

  /// Whether the server closes, instead of sending more.
  bool is_closed() { return buffer_.empty() && !read_more(); }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  bool read_more() {
    std::array<char, 16384> bytes{};
    const auto count = ssl_ ? SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                            : ::recv(socket_.native_handle(), bytes.data(), bytes.size(), 0);
    if (count > 0) buffer_.append(bytes.data(), static_cast<std::size_t>(count));
    return count > 0;
  }

  void require_more() {
    if (!read_more()) throw std::runtime_error("the server has closed before its answer was whole");
  }

  std::uint16_t port_;
  std::shared_ptr<ssl_ctx_st> tls_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_{context_};
  std::unique_ptr<SSL, Free> ssl_;
  std::string buffer_;
};

}  // namespace fl::test
