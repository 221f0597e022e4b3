#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fl::net {

/// Where a server listens.
struct Endpoint {
  std::string host;  ///< A DNS name or an IP address; an IPv6 address without its brackets.
  std::uint16_t port = 0;

  /// "example.org:7443", "127.0.0.1:7443", "[::1]:7443". Throws Error(invalid_argument) saying what is
  /// missing.
  static Endpoint parse(std::string_view text);
  std::string text() const;
};

}  // namespace fl::net
