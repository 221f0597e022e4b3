#include "common/base/bytes.h"

#include <doctest/doctest.h>

#include "common/base/error.h"

using namespace fl;

TEST_CASE("hexadecimal text and bytes are inverses") {
  const Bytes bytes = from_hex("00ff7f80a5");
  CHECK(bytes.size() == 5);
  CHECK(to_hex(bytes) == "00ff7f80a5");
  CHECK(from_hex("ABcd") == from_hex("abCD"));
}

TEST_CASE("text that is not hexadecimal is refused by the digit at fault (I9)") {
  CHECK_THROWS_WITH_AS(from_hex("abc"), "hexadecimal text has an odd number of digits", Error);
  CHECK_THROWS_WITH_AS(from_hex("0g"), "'g' is not a hexadecimal digit", Error);
}
