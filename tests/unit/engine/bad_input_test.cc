#include <utility>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/engine/support.h"

using namespace fl;
using namespace fl::test;

namespace {

std::unique_ptr<Model> classifier() {
  return engine().open(engine().build({"mlp", {6}, 5, {}, 0}, 1), contract_for(Loss::cross_entropy, {6}, 5));
}

template <typename Work>
std::string refusal(ErrorCode code, Work&& work) {
  try {
    std::forward<Work>(work)();
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return error.what();
  }
  return "nothing was refused";
}

std::string refusal_to_open(const Bytes& archive, const TaskContract& contract) {
  return refusal(ErrorCode::invalid_data, [&] { engine().open(archive, contract); });
}

std::string refusal_to_predict(const Tensor& input) {
  const std::vector<TensorView> inputs = {input.view()};
  return refusal(ErrorCode::invalid_argument, [&] { classifier()->predict(inputs); });
}

std::string refusal_to_train(const Examples& examples, const TrainingPlan& plan) {
  auto model = classifier();
  const std::vector<float> before = copy_of(model->weights());
  const std::string sentence =
      refusal(ErrorCode::invalid_argument, [&] { model->train(examples, plan, {}, nullptr); });
  CHECK(copy_of(model->weights()) == before);
  return sentence;
}

}  // namespace

TEST_CASE("bytes that are no archive are refused (I9)") {
  const TaskContract contract = contract_for(Loss::cross_entropy, {6}, 5);
  const std::string expected =
      "not a TorchScript archive; save the model with torch.jit.script(model).save(\"model.pt\")";
  CHECK(refusal_to_open({}, contract) == expected);
  CHECK(refusal_to_open(Bytes(1000, std::byte{7}), contract) == expected);
}

TEST_CASE("an archive that is cut off or changed is refused wherever it is (I8)") {
  const TaskContract contract = contract_for(Loss::cross_entropy, {6}, 5);
  const Bytes archive = engine().build({"mlp", {6}, 5, {}, 0}, 1);
  for (std::size_t size = 4; size < archive.size(); size += archive.size() / 17) {
    CAPTURE(size);
    const Bytes part(archive.begin(), archive.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(refusal_to_open(part, contract).rfind("a damaged TorchScript archive: ", 0) == 0);
  }
}

TEST_CASE("a model that gives another number of outputs than there are labels is refused") {
  const Bytes archive = engine().build({"mlp", {6}, 6, {}, 0}, 1);
  CHECK(refusal_to_open(archive, contract_for(Loss::cross_entropy, {6}, 5)) ==
        "the model gives 6 outputs per example, the task has 5 labels");
  CHECK(refusal_to_open(archive, contract_for(Loss::bce_with_logits, {6}, 1)) ==
        "the model gives 6 outputs per example, the task has 1 label");
}

TEST_CASE("a model whose input does not fit the data is refused") {
  const std::string sentence =
      refusal_to_open(engine().build({"mlp", {6}, 5, {}, 0}, 1), contract_for(Loss::cross_entropy, {7}, 5));
  CHECK(sentence.rfind("the model does not take its inputs as declared: x is FP32 [2, 7]; running it said: ",
                       0) == 0);
  CHECK(sentence.find("(2x7 and 6x64)") != std::string::npos);
  CHECK(sentence.find('\n') == std::string::npos);
}

TEST_CASE("outputs that do not fit the contract are refused") {
  const Bytes archive = engine().build({"mlp", {6}, 5, {}, 0}, 1);
  TaskContract contract = contract_for(Loss::cross_entropy, {6}, 5);
  contract.outputs = {{"scores", Datatype::fp32, {-1, 5}}};
  CHECK(engine().open(archive, contract)->layout().size() > 0);
  contract.outputs = {{"scores", Datatype::fp32, {-1, 6}}};
  CHECK(refusal_to_open(archive, contract) ==
        "the model gives output 'scores' the shape [-1, 5], the contract says [-1, 6]");
  contract.outputs = {{"scores", Datatype::fp64, {-1, 5}}};
  CHECK(refusal_to_open(archive, contract) == "output 'scores' is FP32, the contract says FP64");
  contract.outputs = {{"a", Datatype::fp32, {-1, 5}}, {"b", Datatype::fp32, {-1, 5}}};
  CHECK(refusal_to_open(archive, contract) == "the model gives 1 output, the contract names 2");
}

TEST_CASE("a contract with more inputs than forward takes is refused") {
  TaskContract contract = contract_for(Loss::cross_entropy, {6}, 5);
  contract.inputs.push_back({"z", Datatype::fp32, {-1, 6}});
  CHECK(refusal_to_open(engine().build({"mlp", {6}, 5, {}, 0}, 1), contract) ==
        "the archive's method forward takes 1 argument, the task gives it 2");
}

TEST_CASE("a contract without inputs or without a batch dimension is refused") {
  const Bytes archive = engine().build({"mlp", {6}, 5, {}, 0}, 1);
  TaskContract contract;
  CHECK(refusal(ErrorCode::invalid_argument, [&] { engine().open(archive, contract); }) ==
        "the task names no inputs");
  contract.inputs = {{"x", Datatype::fp32, {}}};
  CHECK(refusal(ErrorCode::invalid_argument, [&] { engine().open(archive, contract); }) ==
        "input 'x' has no dimensions; the first one must be the batch");
}

TEST_CASE("a loss that the archive does not have is refused") {
  CHECK(refusal_to_open(engine().build({"mlp", {6}, 5, {}, 0}, 1), contract_for(Loss::own, {6})) ==
        "the archive has no method loss");
}

TEST_CASE("an input that does not fit is refused by name") {
  CHECK(refusal_to_predict(normal_inputs({2, 7}, 1)) ==
        "input 'x' has shape [2, 7], the model takes [-1, 6]");
  CHECK(refusal_to_predict(normal_inputs({6}, 1)) == "input 'x' has shape [6], the model takes [-1, 6]");
  CHECK(refusal_to_predict({Datatype::fp32, {0, 6}, {}}) ==
        "input 'x' has shape [0, 6], the model takes [-1, 6]");
  CHECK(refusal_to_predict({Datatype::fp64, {1, 6}, Bytes(48)}) == "input 'x' is FP64, the model takes FP32");
  CHECK(refusal_to_predict({Datatype::fp32, {2, 6}, Bytes(47)}) ==
        "input 'x' has 47 bytes, its shape [2, 6] needs 48");
  CHECK(refusal(ErrorCode::invalid_argument, [] { classifier()->predict({}); }) ==
        "0 inputs were given, the model takes 1");
}

TEST_CASE("examples that do not fit are refused and change nothing (I9)") {
  const TrainingPlan plan = plain_plan(1, 16, 0.05);
  Examples examples = two_classes({20, 6}, 1);
  CHECK(refusal_to_train({}, plan) == "there are no examples to train on");
  examples.targets = make_tensor(std::span<const std::int64_t>(std::vector<std::int64_t>(19)), {19});
  CHECK(refusal_to_train(examples, plan) == "there are 20 examples but 19 targets");
  std::vector<std::int64_t> classes(20, 1);
  classes[7] = 5;
  examples.targets = make_tensor(std::span<const std::int64_t>(classes), {20});
  CHECK(refusal_to_train(examples, plan) == "example 7 has class 5, the model's classes are 0 to 4");
  examples.targets = make_tensor(std::span<const float>(std::vector<float>(20)), {20});
  CHECK(refusal_to_train(examples, plan) == "the targets are FP32, the loss cross_entropy needs INT64");
  examples = two_classes({20, 7}, 1);
  CHECK(refusal_to_train(examples, plan) == "input 'x' has shape [20, 7], the model takes [-1, 6]");
}

TEST_CASE("a plan that is not valid is refused and changes nothing (I9)") {
  TrainingPlan plan = plain_plan(1, 0, 0.05);
  CHECK(refusal_to_train(two_classes({20, 6}, 1), plan) != "nothing was refused");
}

TEST_CASE("targets of another shape than the outputs are refused") {
  auto model = engine().open(engine().build({"linear", {2}, 3, {}, 0}, 1), contract_for(Loss::mse, {2}));
  Examples examples;
  examples.inputs = {normal_inputs({8, 2}, 1)};
  examples.targets = normal_inputs({8, 2}, 2);
  CHECK(refusal(ErrorCode::invalid_data, [&] { model->evaluate(examples); }) ==
        "the model gives [8, 3] where the targets are [8, 2]");
  examples.targets = normal_inputs({8}, 2);
  CHECK(refusal(ErrorCode::invalid_data, [&] { model->evaluate(examples); }) ==
        "the model gives [8, 3] where the targets are [8]");
}
