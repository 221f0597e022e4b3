#include "common/model/encoding.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/random.h"
#include "tests/unit/model/refusal.h"

using namespace fl;
using namespace fl::test;

namespace {

constexpr Encoding all[] = {Encoding::fp32, Encoding::fp16, Encoding::int8};

Bytes encoded(Encoding encoding, std::span<const float> values, std::uint64_t seed = 1) {
  Bytes bytes(encoded_bytes(encoding, values.size()));
  Random random(seed);
  encode(encoding, values, random, bytes);
  return bytes;
}

std::vector<float> decoded(Encoding encoding, ByteView bytes, std::size_t count) {
  std::vector<float> values(count);
  decode(encoding, bytes, values);
  return values;
}

std::vector<float> there_and_back(Encoding encoding, std::span<const float> values, std::uint64_t seed = 1) {
  return decoded(encoding, encoded(encoding, values, seed), values.size());
}

std::vector<float> noise(std::size_t count, double scale) {
  Random random(7);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.normal() * scale);
  return values;
}

/// By the definition of IEEE 754, in double: the nearest multiple of the unit that a half has there.
float nearest_half(float value) {
  const double magnitude = std::abs(static_cast<double>(value));
  const int exponent = magnitude == 0.0 ? -14 : std::max(std::ilogb(magnitude), -14);
  const double unit = std::ldexp(1.0, exponent - 10);
  return static_cast<float>(std::copysign(std::nearbyint(magnitude / unit) * unit, value));
}

}  // namespace

TEST_CASE("fp32 gives back the same bits") {
  const std::vector<float> values = {0.0F, -0.0F, 1.0F, std::numeric_limits<float>::denorm_min(), -3e38F};
  const std::vector<float> back = there_and_back(Encoding::fp32, values);
  CHECK(std::memcmp(back.data(), values.data(), values.size() * sizeof(float)) == 0);
}

TEST_CASE("fp16 gives the nearest half, ties to even, over its whole range") {
  std::vector<float> values = {0.0F,     1.0F,       -1.0F,      65504.0F,   0x1p-14F,     0x1p-24F,
                               0x1p-25F, 0x1.8p-25F, 0x1.002p0F, 0x1.006p0F, 0x1.ffcp-15F, 0x1.ffep-15F};
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(
        static_cast<float>(std::ldexp(random.uniform() * 2 - 1, static_cast<int>(random.below(42)) - 26)));
  }
  const std::vector<float> back = there_and_back(Encoding::fp16, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(values[i]);
    REQUIRE(back[i] == nearest_half(values[i]));
  }
}

TEST_CASE("a half that is infinite or NaN is decoded as such and not taken for a number (I8)") {
  const std::array<std::uint16_t, 3> halves = {0x7C00, 0xFC00, 0x7E00};
  const std::vector<float> values =
      decoded(Encoding::fp16, as_bytes(std::span<const std::uint16_t>(halves)), halves.size());
  CHECK(values[0] == std::numeric_limits<float>::infinity());
  CHECK(values[1] == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(values[2]));
}

TEST_CASE("an int8 block's scale that is NaN or infinite shows in what is decoded (I8)") {
  Bytes bytes = encoded(Encoding::int8, std::vector<float>{1.0F, 0.5F});
  const float wrong = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(bytes.data(), &wrong, sizeof wrong);
  CHECK(std::isnan(decoded(Encoding::int8, bytes, 2)[0]));
}

TEST_CASE("int8 is off by less than a 127th of its block's largest element") {
  const std::vector<float> values = noise(5 * encoding_block + 77, 0.01);
  const std::vector<float> back = there_and_back(Encoding::int8, values);
  for (std::size_t first = 0; first < values.size(); first += encoding_block) {
    const std::size_t last = std::min(first + encoding_block, values.size());
    float largest = 0;
    for (std::size_t i = first; i < last; ++i) largest = std::max(largest, std::abs(values[i]));
    for (std::size_t i = first; i < last; ++i) {
      REQUIRE(std::abs(back[i] - values[i]) <= largest / 127 * 1.00001F);
      REQUIRE(std::abs(back[i]) <= largest * 1.00001F);
    }
  }
}

TEST_CASE("int8 is unbiased: over many seeds the mean comes to the element") {
  const std::vector<float> values = {1.0F, 0.1234F, -0.0031F, 0.5F, -0.77F, 0.0F};
  constexpr int tries = 20'000;
  std::vector<double> sums(values.size());
  for (int seed = 0; seed < tries; ++seed) {
    const std::vector<float> back = there_and_back(Encoding::int8, values, static_cast<std::uint64_t>(seed));
    for (std::size_t i = 0; i < values.size(); ++i) sums[i] += back[i];
  }
  // The standard error of a rounding by chance is at most half a step over the root of the tries.
  const double five_errors = 5 * 0.5 / 127 / std::sqrt(tries);
  for (std::size_t i = 0; i < values.size(); ++i) {
    CAPTURE(values[i]);
    CHECK(std::abs(sums[i] / tries - static_cast<double>(values[i])) < five_errors);
  }
}

TEST_CASE("a vector that is encoded and decoded by pieces is the same as in one") {
  const std::vector<float> values = noise(4 * encoding_block + 5, 1.0);
  for (const Encoding encoding : all) {
    CAPTURE(name(encoding));
    const Bytes whole = encoded(encoding, values);
    Random random(1);
    Bytes pieces;
    std::vector<float> back;
    for (std::size_t first = 0; first < values.size(); first += 2 * encoding_block) {
      const auto part = std::span(values).subspan(first, std::min(2 * encoding_block, values.size() - first));
      Bytes bytes(encoded_bytes(encoding, part.size()));
      encode(encoding, part, random, bytes);
      const std::vector<float> some = decoded(encoding, bytes, part.size());
      pieces.insert(pieces.end(), bytes.begin(), bytes.end());
      back.insert(back.end(), some.begin(), some.end());
    }
    CHECK(pieces == whole);
    CHECK(back == decoded(encoding, whole, values.size()));
  }
}

TEST_CASE("zeros and numbers too small for a scale become zeros, not NaN") {
  const std::vector<float> tiny(10, std::numeric_limits<float>::denorm_min());
  CHECK(there_and_back(Encoding::int8, std::vector<float>(10)) == std::vector<float>(10));
  CHECK(there_and_back(Encoding::int8, tiny) == std::vector<float>(10));
  CHECK(there_and_back(Encoding::fp16, tiny) == std::vector<float>(10));
}

TEST_CASE("each encoding takes the bytes that it says and none takes any for nothing") {
  CHECK(encoded_bytes(Encoding::fp32, 1025) == 4100);
  CHECK(encoded_bytes(Encoding::fp16, 1025) == 2050);
  CHECK(encoded_bytes(Encoding::int8, 1025) == 1025 + 8);
  CHECK(encoded_bytes(Encoding::int8, std::uint64_t{3} << 32U) ==
        (std::uint64_t{3} << 32U) + (std::uint64_t{3} << 24U));
  for (const Encoding encoding : all) {
    CHECK(encoded_bytes(encoding, 0) == 0);
    CHECK(encoding_from_name(name(encoding)) == encoding);
  }
  CHECK(contains(refusal(ErrorCode::invalid_argument, [] { encoding_from_name("bf16"); }), "int8"));
}
