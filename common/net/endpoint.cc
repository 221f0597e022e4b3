#include "common/net/endpoint.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>

#include "common/base/error.h"
#include "common/base/text.h"

namespace fl::net {
namespace {

constexpr std::size_t longest_name = 253;  // of the domain name system

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error(ErrorCode::invalid_argument,
              in_quotes(text.substr(0, 300)) + " is no address of a server: " + why +
                  "; right would be HOST:PORT, for example example.org:7443 or [::1]:7443");
}

bool is_name_character(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') || character == '-' || character == '.' || character == '_';
}

void check_name(std::string_view text, std::string_view host) {
  if (host.empty()) refuse(text, "the host is missing");
  if (host.find(':') != std::string_view::npos) refuse(text, "an IPv6 address stands in brackets");
  if (host.size() > longest_name) refuse(text, "the host's name is longer than 253 characters");
  if (!std::all_of(host.begin(), host.end(), is_name_character)) {
    refuse(text, "the host is neither a name nor an IP address");
  }
}

void check_address(std::string_view text, const std::string& host) {
  in6_addr ignored{};
  const bool ends_early = host.find('\0') != std::string::npos;
  if (ends_early || inet_pton(AF_INET6, host.c_str(), &ignored) != 1) {
    refuse(text, "what stands in brackets is no IPv6 address");
  }
}

std::uint16_t parse_port(std::string_view text, const std::string& digits) {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, fault] = std::from_chars(digits.data(), end, port);
  if (digits.empty()) refuse(text, "the port is missing");
  if (fault != std::errc() || stopped != end) refuse(text, "the port is no number from 0 to 65535");
  return port;
}

}  // namespace

Endpoint Endpoint::parse(std::string_view text) {
  Endpoint endpoint;
  const bool bracketed = text.starts_with('[');
  const std::size_t host_end = bracketed ? text.find(']') : text.rfind(':');
  if (host_end == std::string_view::npos) {
    refuse(text, bracketed ? "the closing bracket is missing" : "the port is missing");
  }
  const std::string_view host = bracketed ? text.substr(1, host_end - 1) : text.substr(0, host_end);
  const std::string_view rest = text.substr(host_end + (bracketed ? 1 : 0));
  if (!rest.starts_with(':')) refuse(text, "the port is missing");
  endpoint.host = host;
  if (bracketed) {
    check_address(text, endpoint.host);
  } else {
    check_name(text, host);
  }
  endpoint.port = parse_port(text, std::string(rest.substr(1)));
  return endpoint;
}

std::string Endpoint::text() const {
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace fl::net
