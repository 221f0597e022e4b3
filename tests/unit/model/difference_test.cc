#include "common/model/difference.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/random.h"

using namespace fl;

namespace {

std::vector<float> random_floats(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

Bytes encoded(Encoding encoding, std::span<const float> values) {
  Bytes bytes(encoded_bytes(encoding, values.size()));
  Random rounding(5);
  encode(encoding, values, rounding, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("what is added is what the bytes decode to and once rounded in single precision") {
  for (const Encoding encoding : {Encoding::fp32, Encoding::fp16, Encoding::int8}) {
    for (const std::size_t count : {1U, 1023U, 1024U, 1025U, 5000U}) {
      CAPTURE(std::string(name(encoding)));
      CAPTURE(count);
      const std::vector<float> base = random_floats(count, 1);
      const Bytes bytes = encoded(encoding, random_floats(count, 2));
      std::vector<float> decoded(count);
      decode(encoding, bytes, decoded);
      std::vector<float> next = base;
      add_decoded(encoding, bytes, next);
      for (std::size_t i = 0; i < count; ++i) {
        const double exact = static_cast<double>(base[i]) + static_cast<double>(decoded[i]);
        REQUIRE(next[i] == static_cast<float>(exact));
      }
    }
  }
}

TEST_CASE("a difference may be added piece by piece") {
  const std::size_t count = 3 * encoding_block + 17;
  const Bytes bytes = encoded(Encoding::int8, random_floats(count, 2));
  std::vector<float> whole = random_floats(count, 1);
  std::vector<float> pieces = whole;
  add_decoded(Encoding::int8, bytes, whole);
  const std::size_t half = encoded_bytes(Encoding::int8, encoding_block);
  add_decoded(Encoding::int8, ByteView(bytes).first(half), std::span(pieces).first(encoding_block));
  add_decoded(Encoding::int8, ByteView(bytes).subspan(half), std::span(pieces).subspan(encoding_block));
  CHECK(pieces == whole);
}

TEST_CASE("a difference has the encoded elements and four bytes for each of the others") {
  CHECK(difference_bytes(Encoding::fp16, 10, 13) == 32);
  CHECK(difference_bytes(Encoding::int8, 1025, 1025) == 1025 + 8);
  CHECK(difference_bytes(Encoding::int8, 0, 3) == 12);
}
