#include "client/sdk/answers.h"

#include <cmath>

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
