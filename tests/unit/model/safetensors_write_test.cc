#include <numeric>

#include <doctest/doctest.h>

#include "common/model/safetensors.h"
#include "tests/unit/model/refusal.h"
#include "tests/unit/model/safetensors_file.h"

using namespace fl;
using namespace fl::test;

namespace {

Layout sample_layout() {
  Layout layout;
  layout.add("conv.weight", Datatype::fp32, {2, 3}, Role::trained);
  layout.add("scale", Datatype::fp16, {}, Role::trained);
  layout.add("nothing", Datatype::fp32, {0, 4}, Role::buffer);
  layout.add("bn.mean", Datatype::fp64, {4}, Role::buffer);
  return layout;
}

Weights counting(std::size_t count) {
  Weights weights(count);
  std::iota(weights.begin(), weights.end(), 1.0F);
  return weights;
}

std::string floats_as_text(const Weights& weights, std::size_t from, std::size_t count) {
  return std::string(as_text(as_bytes(std::span(weights).subspan(from, count))));
}

}  // namespace

TEST_CASE("a safetensors file has what an independent reader expects") {
  const Layout layout = sample_layout();
  const Weights weights = counting(layout.size());
  const Bytes file = to_safetensors(layout, weights);
  const auto tensors = take_apart(std::string(as_text(file)));
  REQUIRE(tensors.size() == 4);
  CHECK(tensors.at("conv.weight").dtype == "F32");
  CHECK(tensors.at("conv.weight").shape == "2,3");
  CHECK(tensors.at("conv.weight").data == floats_as_text(weights, 0, 6));
  CHECK(tensors.at("scale").dtype == "F32");
  CHECK(tensors.at("scale").shape.empty());
  CHECK(tensors.at("scale").data == floats_as_text(weights, 6, 1));
  CHECK(tensors.at("nothing").shape == "0,4");
  CHECK(tensors.at("nothing").data.empty());
  CHECK(tensors.at("bn.mean").data == floats_as_text(weights, 7, 4));
}

TEST_CASE("the data of a safetensors file begins at a multiple of 8 bytes and ends with the file") {
  for (std::size_t length = 1; length <= 9; ++length) {
    Layout layout;
    layout.add(std::string(length, 'w'), Datatype::fp32, {3}, Role::trained);
    const Bytes file = to_safetensors(layout, counting(3));
    CHECK((file.size() - 12) % 8 == 0);
    CHECK(std::to_integer<char>(file[8]) == '{');
    CHECK(from_safetensors(file, layout) == counting(3));
  }
}

TEST_CASE("weights come back from a safetensors file as they were") {
  const Layout layout = sample_layout();
  CHECK(from_safetensors(to_safetensors(layout, counting(11)), layout) == counting(11));
  CHECK(from_safetensors(to_safetensors(Layout(), {}), Layout()).empty());
  Layout odd;
  odd.add("\"quoted\\\" größe", Datatype::fp32, {1}, Role::trained);
  CHECK(from_safetensors(to_safetensors(odd, counting(1)), odd) == counting(1));
}

TEST_CASE("weights that are not the layout's are not written (I9)") {
  const std::string sentence =
      refusal(ErrorCode::invalid_argument, [] { to_safetensors(sample_layout(), counting(10)); });
  CHECK(sentence == "there are 10 weights, the layout has 11");
  Layout taken;
  taken.add("__metadata__", Datatype::fp32, {1}, Role::trained);
  CHECK(contains(refusal(ErrorCode::invalid_argument, [&] { to_safetensors(taken, counting(1)); }),
                 "__metadata__"));
}
