#include "common/model/examples.h"

#include <doctest/doctest.h>

#include "tests/unit/model/refusal.h"

using namespace fl;
using test::contains;
using test::refusal;

namespace {

Example example(float first, std::int64_t label) {
  const std::vector<float> values{first, first + 1};
  const std::vector<std::int64_t> flag{label * 10};
  return {{make_tensor(std::span<const float>(values), {1, 2}),
           make_tensor(std::span<const std::int64_t>(flag), {1})},
          make_tensor(std::span<const std::int64_t>(&label, 1), {})};
}

}  // namespace

TEST_CASE("stacking puts the examples along a new first dimension") {
  const Examples stacked = stack({example(1, 0), example(5, 1), example(9, 2)});
  CHECK(stacked.count() == 3);
  REQUIRE(stacked.inputs.size() == 2);
  CHECK(stacked.inputs[0].shape == Shape{3, 1, 2});
  const auto floats = stacked.inputs[0].floats();
  CHECK(std::vector<float>(floats.begin(), floats.end()) == std::vector<float>{1, 2, 5, 6, 9, 10});
  CHECK(stacked.inputs[1].shape == Shape{3, 1});
  CHECK(stacked.inputs[1].integers()[2] == 20);
  CHECK(stacked.targets.shape == Shape{3});
  CHECK(stacked.targets.integers()[1] == 1);
}

TEST_CASE("no examples stack to none") {
  CHECK(stack({}).count() == 0);
  CHECK(stack({}).inputs.empty());
}

TEST_CASE("stacking names the first example that differs (I9)") {
  std::vector<Example> examples{example(1, 0), example(2, 1), example(3, 1), example(4, 1)};
  SUBCASE("in its shape") {
    examples[2].inputs[0].shape = {2, 1};
    const std::string sentence = refusal(ErrorCode::invalid_data, [&] { stack(examples); });
    CHECK(contains(sentence, "input 0 of example 2"));
    CHECK(contains(sentence, "[2, 1]"));
    CHECK(contains(sentence, "[1, 2]"));
  }
  SUBCASE("in its datatype") {
    examples[1].target = make_tensor(std::vector<float>{1.0F}, {});
    const std::string sentence = refusal(ErrorCode::invalid_data, [&] { stack(examples); });
    CHECK(contains(sentence, "the target of example 1"));
    CHECK(contains(sentence, "FP32"));
  }
  SUBCASE("in its number of inputs") {
    examples[3].inputs.pop_back();
    CHECK(contains(refusal(ErrorCode::invalid_data, [&] { stack(examples); }), "example 3"));
  }
  SUBCASE("in having too few bytes for its shape") {
    examples[0].inputs[0].data.pop_back();
    CHECK(contains(refusal(ErrorCode::invalid_data, [&] { stack(examples); }), "example 0"));
  }
}
