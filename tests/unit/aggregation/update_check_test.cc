#include "server/aggregation/update_check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/random.h"

using namespace fl;
using namespace fl::server;

namespace {

constexpr std::size_t elements = 10'001;  // two whole pieces and a part of one, which ends inside a block
constexpr std::array encodings{Encoding::fp32, Encoding::fp16, Encoding::int8};

Bytes encoded(Encoding encoding, const std::vector<float>& values) {
  Random random(3);
  Bytes bytes(encoded_bytes(encoding, values.size()));
  encode(encoding, values, random, bytes);
  return bytes;
}

/// What it finds in bytes that come by pieces of so many.
std::optional<UpdateFault> fault_in(UpdateCheck check, ByteView bytes, std::size_t piece) {
  while (!bytes.empty()) {
    const ByteView next = bytes.first(std::min(piece, bytes.size()));
    check.look_at(next);
    bytes = bytes.subspan(next.size());
  }
  return check.fault();
}

std::optional<UpdateFault> fault_in(const std::vector<float>& values, float bound) {
  const Bytes bytes = encoded(Encoding::fp32, values);
  return fault_in(UpdateCheck(Encoding::fp32, values.size(), {values.size(), bound, 0}), bytes, 100'000);
}

}  // namespace

TEST_CASE("a delta with NaN or infinity or too large an element is refused by that element (I9)") {
  std::vector<float> values(elements, 0.5F);
  CHECK(!fault_in(values, 1.0F));
  values[8'555] = std::numeric_limits<float>::quiet_NaN();
  const auto fault = fault_in(values, 1.0F);
  REQUIRE(fault);
  CHECK(fault->outcome == wire::Outcome::not_finite);
  CHECK(fault->sentence.find("element 8555 ") == 0);
  values[8'555] = -std::numeric_limits<float>::infinity();
  CHECK(fault_in(values, 1.0F)->outcome == wire::Outcome::not_finite);
  values[8'555] = -1.5F;
  CHECK(fault_in(values, 1.0F)->outcome == wire::Outcome::delta_too_large);
  values[8'555] = -1.0F;
  CHECK(!fault_in(values, 1.0F));
}

TEST_CASE("an element that is too large is found wherever it is and however its bytes are cut (I9)") {
  for (const Encoding encoding : encodings) {
    for (const std::size_t at : {0UL, 1'023UL, 1'024UL, 4'095UL, 4'096UL, 8'191UL, 9'999UL, 10'000UL}) {
      std::vector<float> values(elements, 0.5F);
      values[at] = -8.0F;
      const Bytes bytes = encoded(encoding, values);
      for (const std::size_t piece : {1UL, 3UL, 1'028UL, 4'111UL, 16'384UL, 20'000UL, 50'000UL}) {
        CAPTURE(name(encoding));
        CAPTURE(at);
        CAPTURE(piece);
        const auto fault = fault_in(UpdateCheck(encoding, elements, {elements, 4.0F, 0}), bytes, piece);
        REQUIRE(fault);
        CHECK(fault->sentence.find("element " + std::to_string(at) + " ") == 0);
        CHECK(!fault_in(UpdateCheck(encoding, elements, {elements, 8.5F, 0}), bytes, piece));
      }
    }
  }
}

TEST_CASE("behind the deltas a control variate has a bound of its own") {
  for (const std::size_t deltas : {0UL, 1UL, 4'096UL, 5'000UL, elements}) {
    std::vector<float> values(elements, 3.0F);
    std::fill_n(values.begin(), deltas, 1.0F);
    const Bytes bytes = encoded(Encoding::fp32, values);
    const auto fault = [&](float delta, float control) {
      return fault_in(UpdateCheck(Encoding::fp32, elements, {deltas, delta, control}), bytes, 1'000);
    };
    CAPTURE(deltas);
    CHECK(!fault(1.0F, 3.0F));
    const bool has_deltas = deltas > 0;
    const bool has_controls = deltas < elements;
    CHECK(fault(0.5F, 3.0F).has_value() == has_deltas);
    CHECK(fault(1.0F, 2.0F).has_value() == has_controls);
    if (has_controls) CHECK(fault(1.0F, 2.0F)->sentence.find("element " + std::to_string(deltas) + " ") == 0);
  }
}

TEST_CASE(
    "an element whose bytes have not all come is not judged and what comes behind the last is ignored") {
  const float infinite = std::numeric_limits<float>::infinity();
  const std::vector<float> values{0.5F, infinite};
  const ByteView bytes = as_bytes(std::span<const float>(values));
  UpdateCheck whole(Encoding::fp32, 2, {2, 1.0F, 0});
  whole.look_at(bytes.first(7));
  CHECK(!whole.fault());
  whole.look_at(bytes.subspan(7));
  CHECK(whole.fault());
  UpdateCheck first(Encoding::fp32, 1, {1, 1.0F, 0});
  first.look_at(bytes);
  CHECK(!first.fault());
  UpdateCheck none(Encoding::fp32, 0, {});
  none.look_at(bytes);
  CHECK(!none.fault());
}
