#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/engine/support.h"

using namespace fl;
using namespace fl::test;

namespace {

std::size_t parameters_of(const Architecture& architecture, const TaskContract& contract) {
  return engine().open(engine().build(architecture, 1), contract)->layout().size();
}

std::string refusal(const Architecture& architecture) {
  try {
    engine().build(architecture, 1);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_argument);
    return error.what();
  }
  return "";
}

TaskContract text_contract(std::int64_t length) {
  TaskContract contract;
  contract.inputs = {{"x", Datatype::int64, {-1, length}}};
  return contract;
}

}  // namespace

TEST_CASE("every architecture builds and opens with the number of parameters its layers have") {
  CHECK(parameters_of({"linear", {6}, 3, {}, 0}, contract_for(Loss::cross_entropy, {6}, 3)) == 6 * 3 + 3);
  CHECK(parameters_of({"mlp", {6}, 3, {}, 0}, contract_for(Loss::cross_entropy, {6}, 3)) ==
        6 * 64 + 64 + 64 * 3 + 3);
  CHECK(parameters_of({"mlp", {1, 28, 28}, 10, {200, 200}, 0},
                      contract_for(Loss::cross_entropy, {1, 28, 28}, 10)) ==
        784 * 200 + 200 + 200 * 200 + 200 + 200 * 10 + 10);
  CHECK(parameters_of({"cnn1d", {6, 50}, 5, {}, 0}, contract_for(Loss::cross_entropy, {6, 50}, 5)) ==
        6 * 32 * 5 + 32 + 32 * 64 * 5 + 64 + 12 * 64 * 64 + 64 + 64 * 5 + 5);
  CHECK(
      parameters_of({"cnn2d", {1, 28, 28}, 10, {}, 0}, contract_for(Loss::cross_entropy, {1, 28, 28}, 10)) ==
      32 * 25 + 32 + 32 * 64 * 25 + 64 + 7 * 7 * 64 * 512 + 512 + 512 * 10 + 10);
  CHECK(parameters_of({"lstm", {20}, 30, {}, 30}, text_contract(20)) ==
        30 * 8 + 4 * 128 * (8 + 128 + 2) + 128 * 30 + 30);
}

TEST_CASE("the same seed builds the same archive and another seed another one") {
  const Architecture architecture{"cnn1d", {6, 50}, 5, {}, 0};
  const Bytes archive = engine().build(architecture, 7);
  CHECK(engine().build(architecture, 7) == archive);
  CHECK(engine().build(architecture, 8) != archive);
}

TEST_CASE("what of an architecture does not fit is named") {
  CHECK(refusal({"resnet", {6}, 3, {}, 0}) ==
        "there is no architecture 'resnet'; there are linear, mlp, cnn1d, cnn2d and lstm");
  CHECK(refusal({"cnn1d", {6}, 3, {}, 0}) ==
        "architecture cnn1d: the input shape [6] is not [channels, length]");
  CHECK(refusal({"cnn2d", {1, 28}, 3, {}, 0}) ==
        "architecture cnn2d: the input shape [1, 28] is not [channels, height, width]");
  CHECK(refusal({"cnn1d", {6, 3}, 3, {}, 0}) ==
        "architecture cnn1d: the input shape [6, 3] is too small: after its channels it needs 4 or more");
  CHECK(refusal({"lstm", {20}, 3, {}, 0}) == "architecture lstm: needs a vocabulary of 2 or more characters");
  CHECK(refusal({"linear", {6}, 3, {64}, 0}) == "architecture linear: has 0 hidden widths, 1 were given");
  CHECK(refusal({"mlp", {6}, 0, {}, 0}) ==
        "architecture mlp: the number of outputs [0] is outside 1 to 16777216");
  CHECK(refusal({"mlp", {-6}, 2, {}, 0}) ==
        "architecture mlp: the input shape [-6] is outside 1 to 16777216");
}

TEST_CASE("every architecture learns to tell two classes apart") {
  const auto learns = [](const Architecture& architecture, const Shape& shape) {
    CAPTURE(architecture.name);
    auto model = engine().open(engine().build(architecture, 3),
                               contract_for(Loss::cross_entropy, {architecture.input_shape}, 2));
    Examples examples = two_classes(shape, 5);
    TrainingPlan plan = plain_plan(30, 16, 0.05);
    plan.momentum = 0.9;
    model->train(examples, plan, {}, nullptr);
    CHECK(model->evaluate(examples).accuracy.value() > 0.95);
  };
  learns({"linear", {6}, 2, {}, 0}, {64, 6});
  learns({"mlp", {6}, 2, {}, 0}, {64, 6});
  learns({"cnn1d", {2, 8}, 2, {}, 0}, {64, 2, 8});
  learns({"cnn2d", {1, 8, 8}, 2, {8, 8, 16}, 0}, {64, 1, 8, 8});
}

TEST_CASE("an lstm learns to name the last character but one") {
  const std::int64_t length = 6;
  const std::int64_t count = 256;
  Random random(9);
  std::vector<std::int64_t> text(static_cast<std::size_t>(length * count));
  for (auto& each : text) each = static_cast<std::int64_t>(random.below(4));
  std::vector<std::int64_t> next(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < next.size(); ++i) next[i] = text[i * 6 + 4];
  Examples examples;
  examples.inputs = {make_tensor(std::span<const std::int64_t>(text), {count, length})};
  examples.targets = make_tensor(std::span<const std::int64_t>(next), {count});
  auto model = engine().open(engine().build({"lstm", {length}, 4, {32}, 4}, 3), text_contract(length));
  TrainingPlan plan = plain_plan(30, 16, 0.01);
  plan.optimizer = Optimizer::adam;
  model->train(examples, plan, {}, nullptr);
  CHECK(model->evaluate(examples).accuracy.value() > 0.95);
}
