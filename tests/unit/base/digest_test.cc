#include "common/base/digest.h"

#include <doctest/doctest.h>

#include "common/base/error.h"

using namespace fl;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4's examples") {
  CHECK(sha256(as_bytes("")).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256(as_bytes("abc")).hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a digest does not depend on how the stream was cut") {
  Sha256 stream;
  stream.update(as_bytes("a"));
  stream.update(as_bytes(""));
  stream.update(as_bytes("bc"));
  CHECK(stream.finish() == sha256(as_bytes("abc")));
}

TEST_CASE("a digest's text reads back, and text of another length is refused (I9)") {
  const Digest digest = sha256(as_bytes("abc"));
  CHECK(Digest::from_hex(digest.hex()) == digest);
  CHECK_THROWS_AS(Digest::from_hex("abcd"), Error);
  CHECK_THROWS_AS(Digest::from_bytes(as_bytes("abcd")), Error);
}
