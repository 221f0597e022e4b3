#include "client/sdk/answers.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include <doctest/doctest.h>

#include "client/sdk/example_check.h"
#include "common/base/error.h"
#include "tests/unit/client/examples.h"
#include "tests/unit/client/linear_engine.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;

namespace {

std::vector<Prediction> answers(const TaskContract& contract, std::vector<float> output, Shape shape) {
  return answers_from(make_tensor(std::span<const float>(output), std::move(shape)), contract, 5);
}

TaskContract yes_or_no() {
  TaskContract contract = linear_contract(2, 1);
  contract.loss = Loss::bce_with_logits;
  contract.labels = {"no", "yes"};
  return contract;
}

TaskContract regression() {
  TaskContract contract = linear_contract(2, 1);
  contract.loss = Loss::mse;
  contract.labels = {};
  return contract;
}

ErrorCode refusal(const TaskContract& contract, const Example& example) {
  return code_thrown_by([&] { require_fitting(contract, example); });
}

}  // namespace

TEST_CASE("scores of classes are the softmax of the output") {
  const auto all = answers(linear_contract(2, 3), {1, 2, 3, 1000, 0, -1000}, {2, 3});
  REQUIRE(all.size() == 2);
  // From an independent calculation.
  CHECK(all[0].scores[0] == doctest::Approx(0.09003057));
  CHECK(all[0].scores[1] == doctest::Approx(0.24472847));
  CHECK(all[0].scores[2] == doctest::Approx(0.66524096));
  CHECK(all[0].label == "c2");
  CHECK(all[0].version == 5);
  CHECK(all[1].scores[0] == 1.0F);
  CHECK(all[1].scores[2] == 0.0F);
  CHECK(all[1].label == "c0");
}

TEST_CASE("scores that are no numbers have no label") {
  const float nan = std::nanf("");
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float odd : {nan, infinity}) {
    CHECK(answers(linear_contract(2, 3), {1, odd, 2}, {1, 3})[0].label.empty());
    CHECK(answers(linear_contract(2, 3), {odd, odd, odd}, {1, 3})[0].label.empty());
  }
  CHECK(answers(yes_or_no(), {nan}, {1, 1})[0].label.empty());
  const auto both = answers(linear_contract(2, 3), {nan, 0, 0, 1, 2, 3}, {2, 3});
  CHECK(both[0].label.empty());
  CHECK(both[1].label == "c2");
}

TEST_CASE("one logit tells two names apart") {
  const auto all = answers(yes_or_no(), {0.0F, 2.0F, -2.0F}, {3, 1});
  REQUIRE(all.size() == 3);
  CHECK(all[0].scores == std::vector<float>{0.5F, 0.5F});
  CHECK(all[1].label == "yes");
  CHECK(all[1].scores[1] == doctest::Approx(0.88079708));
  CHECK(all[2].label == "no");
  CHECK(all[2].scores[0] == doctest::Approx(0.88079708));
}

TEST_CASE("several yes or no answers have a probability each") {
  TaskContract contract = linear_contract(2, 3);
  contract.loss = Loss::bce_with_logits;
  const auto all = answers(contract, {0, 3, 1}, {1, 3});
  CHECK(all[0].label == "c1");
  CHECK(all[0].scores[0] == 0.5F);
  CHECK(all[0].scores[1] == doctest::Approx(0.95257413));
}

TEST_CASE("values of a regression are as the model gives them") {
  const auto all = answers(regression(), {-7.5F}, {1, 1});
  CHECK(all[0].scores == std::vector<float>{-7.5F});
  CHECK(all[0].label.empty());
  CHECK(answers(regression(), {1, 2}, {2})[1].scores == std::vector<float>{2});
  CHECK(answers(regression(), {}, {0, 1}).empty());
}

TEST_CASE("an example that fits its task is taken") {
  require_fitting(linear_contract(2, 3), example_of(1, 2, 2));
  const std::vector<float> x{1, 2};
  CHECK(labelled_example(linear_contract(2, 3), x, "c1").target.integers()[0] == 1);
  CHECK(labelled_example(yes_or_no(), x, "yes").target.floats()[0] == 1.0F);
  CHECK(valued_example(regression(), x, 2.5F).target.floats()[0] == 2.5F);
  require_fitting(yes_or_no(), labelled_example(yes_or_no(), x, "no"));
  require_fitting(regression(), valued_example(regression(), x, 2.5F));
}

TEST_CASE("an example that does not fit its task is refused (I9)") {
  const TaskContract contract = linear_contract(2, 3);
  Example example = example_of(1, 2, 3);
  CHECK(refusal(contract, example) == ErrorCode::invalid_argument);
  example = example_of(1, 2, -1);
  CHECK(refusal(contract, example) == ErrorCode::invalid_argument);
  example = example_of(1, std::nanf(""), 0);
  CHECK(refusal(contract, example) == ErrorCode::invalid_argument);
  example = example_of(1, 2, 0);
  example.inputs.front().shape = {1, 2};
  CHECK(refusal(contract, example) == ErrorCode::invalid_argument);
  example = example_of(1, 2, 0);
  example.inputs.front().data.pop_back();
  CHECK(refusal(contract, example) == ErrorCode::invalid_argument);
  example = example_of(1, 2, 0);
  example.inputs.push_back(example.inputs.front());
  CHECK(refusal(contract, example) == ErrorCode::invalid_argument);
  example = example_of(1, 2, 0);
  example.target.shape = {1};
  CHECK(refusal(contract, example) == ErrorCode::invalid_argument);
  example = example_of(1, 2, 0);
  const float value[] = {1.0F};
  example.target = make_tensor(std::span<const float>(value), {});
  CHECK(refusal(contract, example) == ErrorCode::invalid_argument);
}

TEST_CASE("a value that is not finite is refused in every datatype that has such (I9)") {
  const double doubles[] = {1.0, std::numeric_limits<double>::quiet_NaN()};
  const std::uint16_t halves[] = {0x3C00, 0xFC00};  // 1 and -infinity
  const auto bytes_of = [](const auto& values) {
    const auto bytes = std::as_bytes(std::span(values));
    return Bytes(bytes.begin(), bytes.end());
  };
  TaskContract contract = linear_contract(2, 3);
  Example example = example_of(1, 2, 0);
  contract.inputs.front().datatype = example.inputs.front().datatype = Datatype::fp64;
  example.inputs.front().data = bytes_of(doubles);
  CHECK(refusal(contract, example) == ErrorCode::invalid_argument);
  example.inputs.front().data = Bytes(16);
  require_fitting(contract, example);
  contract.inputs.front().datatype = example.inputs.front().datatype = Datatype::fp16;
  example.inputs.front().data = bytes_of(halves);
  CHECK(refusal(contract, example) == ErrorCode::invalid_argument);
  example.inputs.front().data.resize(2);
  example.inputs.front().data.resize(4);
  require_fitting(contract, example);
}

TEST_CASE("labels and values that the task does not have are refused by name (I9)") {
  const std::vector<float> x{1, 2};
  const auto sentence = [&](const auto& make) { return sentence_thrown_by([&] { make(); }); };
  CHECK(sentence([&] { labelled_example(linear_contract(2, 3), x, "c9"); }).find("c0, c1, c2") !=
        std::string::npos);
  CHECK(sentence([&] { labelled_example(regression(), x, "c9"); }).find("no labels") != std::string::npos);
  CHECK(sentence([&] { valued_example(linear_contract(2, 3), x, 1); }).find("has labels") !=
        std::string::npos);
  CHECK(sentence([&] { single_input(linear_contract(3, 3), x); }).find("takes 3") != std::string::npos);
  TaskContract two = linear_contract(2, 3);
  two.inputs.push_back(two.inputs.front());
  CHECK(sentence([&] { single_input(two, x); }).find("single FP32 input") != std::string::npos);
}
