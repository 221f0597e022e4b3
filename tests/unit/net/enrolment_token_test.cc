#include "common/net/enrolment_token.h"

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "tests/unit/net/faults.h"

using namespace fl;
using net::EnrolmentToken;
using test::error_of;
using test::says;

namespace {

EnrolmentToken some_token(const net::Endpoint& server) {
  return {server, sha256(as_bytes("a certificate")), secret_bytes(32)};
}

bool same(const EnrolmentToken& a, const EnrolmentToken& b) {
  return a.server.host == b.server.host && a.server.port == b.server.port &&
         a.authority_fingerprint == b.authority_fingerprint && a.secret == b.secret;
}

bool refused(const std::string& text) {
  return says(error_of([&] { EnrolmentToken::parse(text); }), ErrorCode::invalid_argument,
              "the enrolment token");
}

}  // namespace

TEST_CASE("a token is read from its text for every kind and length of host") {
  for (const std::string host : {"a", "ab", "abc", "127.0.0.1", "::1", "fl.example.org"}) {
    const EnrolmentToken token = some_token({host, 7443});
    const std::string text = token.text();
    CHECK(text.starts_with("fl1:"));
    CHECK(text.find_first_of(" \n+/=") == std::string::npos);
    CHECK(same(EnrolmentToken::parse(text), token));
  }
}

TEST_CASE("space around a pasted token does not matter") {
  const EnrolmentToken token = some_token({"example.org", 7443});
  CHECK(same(EnrolmentToken::parse("  " + token.text() + "\r\n"), token));
}

TEST_CASE("every change of one character is refused (I9)") {
  const std::string text = some_token({"example.org", 7443}).text();
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int value = 1; value < 128; ++value) {
      std::string changed = text;
      changed[at] = static_cast<char>(value);
      if (changed != text) CHECK(refused(changed));
    }
  }
}

TEST_CASE("a token that is cut off or longer or has two characters swapped is refused (I9)") {
  const std::string text = some_token({"example.org", 7443}).text();
  for (std::size_t length = 0; length < text.size(); ++length) CHECK(refused(text.substr(0, length)));
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    std::string swapped = text;
    std::swap(swapped[at], swapped[at + 1]);
    if (swapped != text) CHECK(refused(swapped));
  }
  CHECK(refused(text + "A"));
  CHECK(refused(text + "AAAA"));
  CHECK(refused(text + text));
  CHECK(refused(text + std::string(100000, 'A')));
  CHECK(refused("fl2:" + text.substr(4)));
  CHECK(refused("hello"));
}

TEST_CASE("the sentence of a refused token does not tell the secret") {
  const std::string text = some_token({"example.org", 7443}).text();
  const auto error = error_of([&] { EnrolmentToken::parse(text.substr(0, text.size() - 1)); });
  REQUIRE(error);
  CHECK(std::string(error->what()).find(text.substr(60, 8)) == std::string::npos);
}

TEST_CASE("only a secret of 32 bytes makes a token") {
  EnrolmentToken token = some_token({"example.org", 7443});
  token.secret.pop_back();
  CHECK(says(error_of([&] { token.text(); }), ErrorCode::invalid_argument, "32 bytes"));
}
