#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace fl::bench {

/// What a client of an HTTP server saw: requests a second, and the times from a request to the end of its
/// answer, in seconds.
struct Served {
  double a_second = 0;
  double p50 = 0;
  double p99 = 0;
};

/// The bytes of a request with its body.
std::string http_request(std::uint16_t port, const std::string& target, const std::string& fields,
                         const std::string& body);

/// The body of the answer to one request; throws std::runtime_error where that is not 200.
std::string answer_to(std::uint16_t port, const std::string& request);

/// So many connections, each of which asks again as soon as it is answered. Every answer must be as long as
/// the first one and begin as it does; throws std::runtime_error otherwise.
Served closed_loop(std::uint16_t port, const std::string& request, std::size_t connections,
                   std::chrono::duration<double> time);

/// Requests that come at random (Poisson), so many a second, whether or not those before are answered; each
/// takes the first of 256 connections that is free, and its time begins when it comes.
Served open_loop(std::uint16_t port, const std::string& request, double a_second,
                 std::chrono::duration<double> time);

}  // namespace fl::bench
