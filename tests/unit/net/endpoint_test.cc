#include "common/net/endpoint.h"

#include <doctest/doctest.h>

#include "tests/unit/net/faults.h"

using namespace fl;
using net::Endpoint;
using test::error_of;
using test::says;

namespace {

void check_reads(const std::string& text, const std::string& host, unsigned port) {
  const Endpoint endpoint = Endpoint::parse(text);
  CHECK(endpoint.host == host);
  CHECK(endpoint.port == port);
  CHECK(endpoint.text() == text);
}

void check_refused(const std::string& text, const std::string& why) {
  CAPTURE(text);
  CHECK(says(error_of([&] { Endpoint::parse(text); }), ErrorCode::invalid_argument, why));
}

}  // namespace

TEST_CASE("names and addresses are read and written alike") {
  check_reads("example.org:7443", "example.org", 7443);
  check_reads("127.0.0.1:1", "127.0.0.1", 1);
  check_reads("[::1]:65535", "::1", 65535);
  check_reads("[2001:db8::7]:7443", "2001:db8::7", 7443);
  check_reads("fl_server-2.local:0", "fl_server-2.local", 0);
}

TEST_CASE("what is no address of a server is refused with what is missing (I9)") {
  check_refused("", "the port is missing");
  check_refused("example.org", "the port is missing");
  check_refused("example.org:", "the port is missing");
  check_refused("[::1]", "the port is missing");
  check_refused("[::1]7443", "the port is missing");
  check_refused("[::1]:", "the port is missing");
  check_refused(":7443", "the host is missing");
  check_refused("example.org:65536", "0 to 65535");
  check_refused("example.org:-1", "0 to 65535");
  check_refused("example.org:74x", "0 to 65535");
  check_refused("example.org: 74", "0 to 65535");
  check_refused("example.org:99999999999999999999", "0 to 65535");
  check_refused("::1:7443", "in brackets");
  check_refused("[::1:7443", "closing bracket");
  check_refused("[127.0.0.1]:7443", "no IPv6 address");
  check_refused("[]:7443", "no IPv6 address");
  check_refused(std::string("[::1\0]:7443", 11), "no IPv6 address");
  check_refused("exa mple:7443", "neither a name nor an IP address");
  check_refused("https://example.org:7443", "in brackets");
  check_refused("exampl\xc3\xa9:7443", "neither a name nor an IP address");
  check_refused(std::string(254, 'a') + ":7443", "longer than 253");
}
