#pragma once

#include <functional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "common/net/endpoint.h"
#include "common/net/http_endpoint.h"

namespace fl::server {

/// Answers GET /metrics over HTTP/1.1 with a text that it is given; 404 and 405 otherwise. One request a
/// connection, without authentication or encryption. Everything happens on the thread that runs `context`.
class MetricsEndpoint {
 public:
  static net::HttpLimits default_limits();

  /// Listens. `text` is called for each answer, for the last time before `context` has nothing left to run.
  /// Throws Error(unavailable) where the port is taken, naming it.
  MetricsEndpoint(boost::asio::io_context& context, const net::Endpoint& endpoint,
                  std::function<std::string()> text, const net::HttpLimits& limits = default_limits());

  std::uint16_t port() const { return endpoint_.port(); }

 private:
  net::HttpEndpoint endpoint_;
};

}  // namespace fl::server
