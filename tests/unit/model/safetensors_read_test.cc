#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "common/model/safetensors.h"
#include "tests/unit/model/refusal.h"
#include "tests/unit/model/safetensors_file.h"

using namespace fl;
using namespace fl::test;

namespace {

Layout two_tensors() {
  Layout layout;
  layout.add("a", Datatype::fp32, {2}, Role::trained);
  layout.add("b", Datatype::fp32, {1}, Role::trained);
  return layout;
}

const std::string a_and_b =
    R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})";

std::string three_floats() {
  return bytes_of(1.0F) + bytes_of(2.0F) + bytes_of(3.0F);
}

std::string refused(const Bytes& file) {
  return refusal(ErrorCode::invalid_data, [&] { from_safetensors(file, two_tensors()); });
}

/// What is said of the file with something in its header changed.
std::string refused(const std::string& from, const std::string& to) {
  return refused(put_together(replaced(a_and_b, from, to), three_floats()));
}

/// The values of a file with one tensor of this dtype.
Weights read_as(const std::string& dtype, const std::string& data, std::size_t count) {
  Layout layout;
  layout.add("a", Datatype::fp32, {static_cast<std::int64_t>(count)}, Role::trained);
  const std::string header = R"({"a":{"dtype":")" + dtype + R"(","shape":[)" + std::to_string(count) +
                             R"(],"data_offsets":[0,)" + std::to_string(data.size()) + "]}}";
  return from_safetensors(put_together(header, data), layout);
}

}  // namespace

TEST_CASE("tensors are matched by name in whatever order a safetensors file has them") {
  CHECK(from_safetensors(put_together(a_and_b, three_floats()), two_tensors()) == Weights{1, 2, 3});
  const std::string header =
      R"({"b":{"data_offsets":[0,4],"shape":[1],"dtype":"F32"},"__metadata__":{"format":"pt","x":"y"},)"
      R"("a":{"shape":[2],"dtype":"F32","data_offsets":[4,12]}}  )";
  CHECK(from_safetensors(put_together(header, three_floats()), two_tensors()) == Weights{2, 3, 1});
}

TEST_CASE("all 65536 half floats are read as IEEE 754 defines them") {
  std::string data;
  for (unsigned bits = 0; bits < 0x10000; ++bits) data += bytes_of(static_cast<std::uint16_t>(bits));
  const Weights values = read_as("F16", data, 0x10000);
  CHECK(values[0x3c00] == 1.0F);
  CHECK(values[0xc000] == -2.0F);
  CHECK(values[0x7bff] == 65504.0F);
  CHECK(values[0x0001] == 0x1p-24F);
  CHECK(values[0x7c00] == std::numeric_limits<float>::infinity());
  CHECK(values[0xfc00] == -std::numeric_limits<float>::infinity());
  CHECK(std::signbit(values[0x8000]));
  // From one value to the next is one unit in the last place of the lower one's binade.
  for (unsigned bits = 0; bits < 0x7bff; ++bits) {
    const int exponent = std::max(static_cast<int>(bits >> 10U), 1);
    REQUIRE(values[bits + 1] - values[bits] == std::exp2(static_cast<float>(exponent - 25)));
    REQUIRE(values[bits + 0x8000] == -values[bits]);
  }
  for (unsigned bits = 0x7c01; bits < 0x8000; ++bits) {
    REQUIRE(std::isnan(values[bits]));
    REQUIRE(std::isnan(values[bits + 0x8000]));
  }
}

TEST_CASE("brain floats and doubles are read into floats") {
  const std::string brain = bytes_of<std::uint16_t>(0x3f80) + bytes_of<std::uint16_t>(0xc040) +
                            bytes_of<std::uint16_t>(0x7f80) + bytes_of<std::uint16_t>(0x0001);
  CHECK(read_as("BF16", brain, 4) == Weights{1.0F, -3.0F, std::numeric_limits<float>::infinity(), 0x1p-133F});
  const std::string doubles =
      bytes_of(0.1) + bytes_of(-1e-300) + bytes_of(std::numeric_limits<double>::infinity()) + bytes_of(3.5);
  CHECK(read_as("F64", doubles, 4) == Weights{0.1F, -0.0F, std::numeric_limits<float>::infinity(), 3.5F});
  CHECK(contains(refusal(ErrorCode::invalid_data, [] { read_as("F64", bytes_of(1e300), 1); }),
                 "more than fp32 can"));
}

TEST_CASE("a header longer than the file or than the bound is refused before it is read (I8)") {
  CHECK(contains(refused(Bytes(7)), "begins with 8 bytes"));
  CHECK(contains(refused(Bytes()), "begins with 8 bytes"));
  CHECK(contains(refused(Bytes(8)), "does not begin with '{'"));
  for (const std::uint64_t length :
       {std::uint64_t{300}, std::uint64_t{100'000'001}, std::numeric_limits<std::uint64_t>::max(),
        std::numeric_limits<std::uint64_t>::max() - 7}) {
    Bytes file = put_together(a_and_b, three_floats());
    std::memcpy(file.data(), &length, 8);
    CHECK(contains(refused(file), std::to_string(length)));
  }
}

TEST_CASE("a header that is not the JSON it should be is refused (I9)") {
  CHECK(contains(refused(put_together("rubbish", "")), "does not begin with '{'"));
  CHECK(contains(refused(put_together(" " + a_and_b, three_floats())), "does not begin with '{'"));
  CHECK(contains(refused(put_together("{rubbish", "")), "not JSON"));
  CHECK(contains(refused(put_together(R"({"a":)" + std::string(1000, '['), "")), "nested deeper"));
  CHECK(contains(refused(put_together(R"({"a":[]})", "")), "'a' must be an object"));
  CHECK(contains(refused(R"("dtype":"F32",)", ""), "'a.dtype' is missing"));
  CHECK(contains(refused(R"("dtype")", R"("type":1,"dtype")"), "'a.type' is not known"));
  CHECK(contains(refused("[0,8]", "[0,8,8]"), "3 data_offsets"));
  CHECK(contains(refused("[0,8]", "[-1,8]"), "'a.data_offsets[0]' must be a whole number"));
  CHECK(contains(refused("\"b\"", "\"a\""), "'a' is there twice"));
}

TEST_CASE("tensors that do not fit the model are refused by name (I9)") {
  CHECK(contains(refused("\"b\"", "\"c\""), "the model has no tensor 'c'"));
  CHECK(refused(put_together(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                             std::string(8, '\0'))) == "the tensor 'b' is missing from the file");
  CHECK(contains(refused("[2]", "[2,1]"), "'a' has the shape [2, 1] in the file, the model's is [2]"));
  CHECK(contains(refused("[2]", "[1,2]"), "'a' has the shape [1, 2]"));
  CHECK(contains(refused("F32", "I32"), "'a' has the dtype 'I32', the known ones are F32, F16, BF16, F64"));
}

TEST_CASE("tensors whose bytes are outside or overlap or leave gaps are refused by name (I8)") {
  CHECK(contains(refused("[8,12]", "[8,16]"), "'b' lies from byte 8 to 16, outside the file's 12 bytes"));
  CHECK(contains(refused("[8,12]", "[12,8]"), "'b' lies from byte 12 to 8"));
  CHECK(contains(refused("[8,12]", "[18446744073709551612,18446744073709551615]"), "outside"));
  CHECK(contains(refused("[8,12]", "[4,8]"), "'b' overlaps"));
  CHECK(contains(refused("[0,8]", "[4,12]"), "'a' leaves a gap"));
  CHECK(contains(refused("[8,12]", "[8,10]"), "'b' has 2 bytes, F32 [1] takes another number"));
  CHECK(contains(refused("F32", "F64"), "'a' has 8 bytes, F64 [2] takes another number"));
  CHECK(contains(refused("[2]", "[-2]"), "negative"));
  CHECK(contains(refused("[2]", "[4611686018427387904,4]"), "63 bits"));
  CHECK(contains(refused(put_together(a_and_b, three_floats() + "x")),
                 "13 bytes of data, its tensors take 12"));
}

TEST_CASE("a safetensors file cut short anywhere is refused (I8)") {
  const Bytes file = put_together(a_and_b, three_floats());
  for (std::size_t size = 0; size < file.size(); ++size) {
    REQUIRE_THROWS_AS(from_safetensors(ByteView(file).first(size), two_tensors()), Error);
  }
}

TEST_CASE("a safetensors file with any bytes changed is read or refused and nothing else (I8)") {
  const Bytes file = put_together(a_and_b, three_floats());
  Random random(11);
  int refusals = 0;
  for (int repeat = 0; repeat < 20'000; ++repeat) {
    Bytes changed = file;
    for (std::uint64_t left = 1 + random.below(3); left > 0; --left) {
      changed[random.below(changed.size())] = static_cast<std::byte>(random());
    }
    try {
      const Weights weights = from_safetensors(changed, two_tensors());
      REQUIRE(weights.size() == 3);
    } catch (const Error& error) {
      REQUIRE(error.code() == ErrorCode::invalid_data);
      ++refusals;
    }
  }
  CHECK(refusals > 10'000);
}

TEST_CASE("metadata that is not strings by name is refused (I9)") {
  const auto with = [](const std::string& metadata) {
    return refused(R"({"a")", R"({"__metadata__":)" + metadata + R"(,"a")");
  };
  CHECK(with("3") == "the safetensors __metadata__ is no object");
  CHECK(with(R"({"format":"pt","epoch":3})") ==
        "the safetensors __metadata__ has the key 'epoch' whose value is no string");
}
