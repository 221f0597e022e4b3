#include "server/http/metrics_endpoint.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include "tests/unit/net/faults.h"

using namespace fl;
using namespace fl::server;
using boost::asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

/// An endpoint on a free port of loopback, on a thread of its own.
class Served {
 public:
  explicit Served(const net::HttpLimits& limits = MetricsEndpoint::default_limits())
      : endpoint_(std::make_unique<MetricsEndpoint>(
            context_, net::Endpoint{"127.0.0.1", 0}, [] { return std::string("figures 1\n"); }, limits)),
        port_(endpoint_->port()),
        thread_([this] { context_.run(); }) {}

  ~Served() {
    boost::asio::post(context_, [this] { endpoint_.reset(); });
    thread_.join();  // ends only if nothing is left open
  }

  std::uint16_t port() const { return port_; }

 private:
  boost::asio::io_context context_{1};
  std::unique_ptr<MetricsEndpoint> endpoint_;
  std::uint16_t port_;
  std::thread thread_;
};

class Client {
 public:
  explicit Client(const Served& served) {
    socket_.connect({boost::asio::ip::address_v4::loopback(), served.port()});
  }

  void send(const std::string& bytes) {
    boost::system::error_code closed;
    boost::asio::write(socket_, boost::asio::buffer(bytes), closed);
  }
  /// All that comes until the server closes.
  std::string answer() {
    std::string text;
    boost::system::error_code end;
    boost::asio::read(socket_, boost::asio::dynamic_buffer(text), end);
    return text;
  }

 private:
  boost::asio::io_context context_;
  tcp::socket socket_{context_};
};

std::string answer_to(const Served& served, const std::string& request) {
  Client client(served);
  client.send(request);
  return client.answer();
}

std::string status_of(const std::string& answer) {
  return answer.substr(0, answer.find("\r\n"));
}

const std::string get = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

}  // namespace

TEST_CASE("GET of the metrics is answered with the text in Prometheus's type") {
  const Served served;
  const std::string answer = answer_to(served, get);
  CHECK(status_of(answer) == "HTTP/1.1 200 OK");
  CHECK(answer.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != std::string::npos);
  CHECK(answer.find("Content-Length: 10\r\n") != std::string::npos);
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);
  CHECK(answer.ends_with("\r\n\r\nfigures 1\n"));
  CHECK(status_of(answer_to(served, "GET /metrics?x=1 HTTP/1.0\r\n\r\n")) == "HTTP/1.1 200 OK");
}

TEST_CASE("other paths and other methods are refused by name (I9)") {
  const Served served;
  for (const char* const target : {"/", "/metrics/", "/metricsx", "http://elsewhere/metrics", "*"}) {
    CAPTURE(target);
    CHECK(status_of(answer_to(served, "GET " + std::string(target) + " HTTP/1.1\r\n\r\n")) ==
          "HTTP/1.1 404 Not Found");
  }
  for (const char* const method : {"POST", "PUT", "DELETE", "HEAD", "OPTIONS", "BREW"}) {
    CAPTURE(method);
    const std::string answer =
        answer_to(served, std::string(method) + " /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(status_of(answer) == "HTTP/1.1 405 Method Not Allowed");
    CHECK(answer.find("Allow: GET\r\n") != std::string::npos);
  }
}

TEST_CASE("what is no request and what is too long is refused and costs one connection (I8)") {
  const Served served;
  for (const std::string& bytes :
       {std::string("nonsense\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n", 14),
        std::string("GET /metrics HTTP/9.9\r\n\r\n"), std::string("GET /metrics HTTP/1.1\r\n: x\r\n\r\n"),
        std::string("GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n")}) {
    CAPTURE(bytes);
    CHECK(status_of(answer_to(served, bytes)) == "HTTP/1.1 400 Bad Request");
  }
  for (const std::string& bytes :
       {"GET /metrics HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n",
        "GET /" + std::string(1'000'000, 'x') + " HTTP/1.1\r\n\r\n", std::string(100'000, 'G')}) {
    const std::string status = status_of(answer_to(served, bytes));
    CAPTURE(status);
    const bool refused =
        status == "HTTP/1.1 431 Request Header Fields Too Large" || status == "HTTP/1.1 400 Bad Request";
    CHECK(refused);
  }
  CHECK(status_of(answer_to(served, get)) == "HTTP/1.1 200 OK");
}

TEST_CASE("a silent client and one that never ends its request are cut off") {
  net::HttpLimits limits = MetricsEndpoint::default_limits();
  limits.idle_time = limits.head_time = 100ms;
  const Served served(limits);
  Client silent(served);
  Client slow(served);
  slow.send("GET /metrics HTTP/1.1\r\nX: ");
  CHECK(silent.answer().empty());
  CHECK(slow.answer().empty());
}

TEST_CASE("clients that hold every connection shut nobody out") {
  net::HttpLimits limits = MetricsEndpoint::default_limits();
  limits.connections = 4;
  limits.idle_time = limits.head_time = 1h;
  const Served served(limits);
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 50; ++i) {
    silent.push_back(std::make_unique<Client>(served));
    if (i % 10 == 0) CHECK(status_of(answer_to(served, get)) == "HTTP/1.1 200 OK");
  }
  for (int i = 0; i < 46; ++i) CHECK(silent[static_cast<std::size_t>(i)]->answer().empty());
}

TEST_CASE("an endpoint where another listens is refused by name (I9)") {
  const Served served;
  boost::asio::io_context context;
  const auto listen = [&] {
    MetricsEndpoint(context, {"127.0.0.1", served.port()}, [] { return std::string(); });
  };
  CHECK(test::says(test::error_of(listen), ErrorCode::unavailable,
                   "cannot listen on 127.0.0.1:" + std::to_string(served.port())));
  CHECK(test::says(test::error_of(listen), ErrorCode::unavailable, "'metrics' in fl-server.ini"));
}
