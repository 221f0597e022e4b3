#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "common/net/endpoint.h"

namespace fl::server {

/// Answers GET /metrics over HTTP/1.1 with a text that it is given; 404 and 405 otherwise, 400 and 431 where
/// the request is none or too long. One request a connection, without authentication or encryption.
///
/// Everything happens on the thread that runs `context`. A peer that is slow or silent holds one of a bounded
/// number of connections for a bounded time, and gives it up to one that comes when there are no more.
class MetricsEndpoint {
 public:
  struct Limits {
    std::size_t connections = 16;
    std::size_t request_bytes = 8192;
    std::chrono::milliseconds request_time{5'000};
    std::chrono::milliseconds response_time{5'000};
  };

  /// Listens. `text` is called for each answer. Throws Error(unavailable) where the port is taken, naming it.
  MetricsEndpoint(boost::asio::io_context& context, const net::Endpoint& endpoint,
                  std::function<std::string()> text, const Limits& limits);
  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;
  /// Ends every connection; `text` is not called any more.
  ~MetricsEndpoint();

  std::uint16_t port() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fl::server
