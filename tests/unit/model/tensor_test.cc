#include "common/model/tensor.h"

#include <array>

#include <doctest/doctest.h>

#include "tests/unit/model/refusal.h"

using namespace fl;
using test::contains;
using test::refusal;

TEST_CASE("datatypes have the names and sizes of the Open Inference Protocol") {
  const std::array<std::string_view, 9> names{"BOOL",  "UINT8", "INT8", "INT16", "INT32",
                                              "INT64", "FP16",  "FP32", "FP64"};
  const std::array<std::size_t, 9> sizes{1, 1, 1, 2, 4, 8, 2, 4, 8};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto datatype = static_cast<Datatype>(i);
    CHECK(name(datatype) == names[i]);
    CHECK(size_of(datatype) == sizes[i]);
    CHECK(datatype_from_name(names[i]) == datatype);
  }
}

TEST_CASE("an unknown datatype is refused with the known ones (I9)") {
  const std::string sentence = refusal(ErrorCode::invalid_data, [] { datatype_from_name("fp32"); });
  CHECK(contains(sentence, "'fp32'"));
  CHECK(contains(sentence, "FP32"));
  CHECK(contains(sentence, "BOOL"));
}

TEST_CASE("a shape counts its elements") {
  CHECK(element_count(Shape{}) == 1);
  CHECK(element_count(Shape{7}) == 7);
  CHECK(element_count(Shape{2, 3, 4}) == 24);
  CHECK(element_count(Shape{2, 0, 4}) == 0);
  const std::int64_t large = std::int64_t{1} << 62U;
  CHECK(element_count(Shape{large, 1}) == static_cast<std::size_t>(large));
  CHECK(element_count(Shape{large, large, 0}) == 0);
}

TEST_CASE("a shape that is none is refused (I8)") {
  const std::int64_t large = std::int64_t{1} << 62U;
  CHECK(contains(refusal(ErrorCode::invalid_data, [] { element_count(Shape{2, -1}); }), "[2, -1]"));
  CHECK(contains(refusal(ErrorCode::invalid_data, [] { element_count(Shape{0, -1}); }), "negative"));
  CHECK(contains(refusal(ErrorCode::invalid_data, [&] { element_count(Shape{large, 2}); }), "63 bits"));
  CHECK_THROWS_AS(element_count(Shape{large, large, large}), Error);
}

TEST_CASE("a tensor gives back what was put in") {
  const std::vector<float> values{1.5F, -2.0F, 0.0F, 4.0F, 5.0F, 6.0F};
  const Tensor tensor = make_tensor(std::span<const float>(values), {2, 3});
  CHECK(tensor.datatype == Datatype::fp32);
  CHECK(tensor.data.size() == 24);
  CHECK(std::vector<float>(tensor.floats().begin(), tensor.floats().end()) == values);
  const TensorView view = tensor.view();
  CHECK(view.data.data() == tensor.data.data());
  CHECK(describe(view.shape) == "[2, 3]");
  CHECK(describe(Shape{}) == "[]");

  const std::vector<std::int64_t> numbers{1, -1};
  const Tensor integers = make_tensor(std::span<const std::int64_t>(numbers), {2});
  CHECK(integers.integers()[1] == -1);
}

TEST_CASE("a tensor refuses the wrong shape and the wrong type (I9)") {
  const std::vector<float> values{1, 2, 3};
  const std::string shape =
      refusal(ErrorCode::invalid_argument, [&] { make_tensor(std::span<const float>(values), {2, 2}); });
  CHECK(contains(shape, "[2, 2]"));
  CHECK(contains(shape, "3 values"));
  const Tensor tensor = make_tensor(std::span<const float>(values), {3});
  const std::string type =
      refusal(ErrorCode::invalid_argument, [&] { static_cast<void>(tensor.integers()); });
  CHECK(contains(type, "FP32"));
  CHECK(contains(type, "INT64"));
}
