// What a model keeps and what it draws: nothing but the flat vector goes over from one call to the next.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <future>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/engine/python_archives.h"
#include "tests/unit/engine/support.h"

using namespace fl;
using namespace fl::test;

namespace {

std::unique_ptr<Model> open(const PythonArchives& archives, const std::string& name) {
  return engine().open(archives.archive(name), contract_for(Loss::cross_entropy, {6}));
}

std::vector<float> answer(Model& model, const Tensor& input) {
  const std::vector<TensorView> inputs = {input.view()};
  return copy_of(model.predict(inputs).front().floats());
}

std::vector<std::string> names_of(const Layout& layout) {
  std::vector<std::string> names;
  for (const LayoutEntry& entry : layout.entries()) names.push_back(entry.name);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("predicting and evaluating leave weights and buffers as they are, whatever the code does to them") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  const Examples examples = two_classes({300, 6}, 1);
  const Tensor input = normal_inputs({3, 6}, 2);
  for (const char* name : {"counting", "halving"}) {
    CAPTURE(name);
    auto model = open(*archives, name);
    const std::vector<float> before = copy_of(model->weights());
    const std::vector<float> first = answer(*model, input);
    const double loss = model->evaluate(examples).loss;
    CHECK(copy_of(model->weights()) == before);
    CHECK(answer(*model, input) == first);
    CHECK(model->evaluate(examples).loss == loss);
    CHECK(answer(*open(*archives, name), input) == first);
  }
}

TEST_CASE("sessions of a model that counts in buffers and attributes repeat bit for bit (I4)") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  const Examples examples = two_classes({24, 6}, 1);
  auto model = open(*archives, "counting");
  const std::vector<float> start = copy_of(model->weights());
  model->train(examples, plain_plan(2, 8, 0.1), {}, nullptr);
  const std::vector<float> first = copy_of(model->weights());
  const Tensor input = normal_inputs({3, 6}, 2);
  const std::vector<float> answered = answer(*model, input);
  std::copy(start.begin(), start.end(), model->weights().begin());
  model->train(examples, plain_plan(2, 8, 0.1), {}, nullptr);
  CHECK(copy_of(model->weights()) == first);
  auto other = open(*archives, "counting");
  std::copy(first.begin(), first.end(), other->weights().begin());
  CHECK(answer(*other, input) == answered);
}

TEST_CASE("code that makes a buffer sparse may predict and evaluate, and training is refused by name (I9)") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  const Examples examples = two_classes({300, 6}, 1);
  const Tensor input = normal_inputs({3, 6}, 2);
  auto model = open(*archives, "sparsifying");
  const std::vector<float> before = copy_of(model->weights());
  const std::vector<float> first = answer(*model, input);
  CHECK(std::isfinite(model->evaluate(examples).loss));
  CHECK_THROWS_WITH_AS(
      model->train(examples, plain_plan(1, 100, 0.1), {}, nullptr),
      "the archive's code gives its buffer 'mean' a sparse tensor; a buffer must stay a dense "
      "tensor of the same shape",
      Error);
  CHECK(copy_of(model->weights()) == before);
  CHECK(answer(*model, input) == first);
}

TEST_CASE("buffers that code hands on to each other end with the values that it gave them") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "handing");
  model->train(two_classes({24, 6}, 1), plain_plan(1, 24, 0.1), {}, nullptr);
  const std::vector<float> weights = copy_of(model->weights());
  CHECK(names_of(model->layout()) == Names{"linear.weight", "linear.bias", "last", "before"});
  CHECK(std::vector<float>(weights.end() - 2, weights.end()) == std::vector<float>{3.0F, 1.0F});
}

TEST_CASE("what a model remembers of one call is gone at the next, whatever its size") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "remembering");
  const Tensor three = normal_inputs({3, 6}, 2);
  const std::vector<float> first = answer(*model, three);
  CHECK(answer(*model, normal_inputs({2, 6}, 3)).size() == 4);
  CHECK(answer(*model, three) == first);
}

TEST_CASE("an optional buffer is in the vector if it is there, and a complex one is not") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  CHECK(names_of(open(*archives, "optional_buffer")->layout()) ==
        Names{"linear.weight", "linear.bias", "mean"});
  CHECK(names_of(open(*archives, "complex_buffer")->layout()) == Names{"linear.weight", "linear.bias"});
  CHECK(names_of(open(*archives, "counting")->layout()) == Names{"linear.weight", "linear.bias", "total"});
}

TEST_CASE("a parameter that is not dense is refused by name (I9)") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  CHECK_THROWS_WITH_AS(
      open(*archives, "sparse_parameter"),
      "'mix' is a sparse tensor, and only dense ones can be trained; give it as to_dense() before "
      "scripting the model",
      Error);
}

TEST_CASE("a model that draws random numbers in evaluation mode draws the same ones every time (I4)") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  const Examples examples = two_classes({300, 6}, 1);
  const Tensor input = normal_inputs({3, 6}, 2);
  auto model = open(*archives, "noisy");
  const std::vector<float> first = answer(*model, input);
  const double loss = model->evaluate(examples).loss;
  CHECK(answer(*model, input) == first);
  CHECK(model->evaluate(examples).loss == loss);
}

TEST_CASE("a session's random numbers do not depend on what is predicted beside it (I4)") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  const Examples examples = two_classes({64, 6}, 1);
  const Tensor input = normal_inputs({3, 6}, 2);
  std::atomic<bool> training = false;
  const auto train = [&] {
    auto model = open(*archives, "dropout");
    model->train(examples, plain_plan(20, 8, 0.1), {1, 7},
                 [&](const TrainingProgress&) { return training = true; });
    return copy_of(model->weights());
  };
  const std::vector<float> alone = train();
  training = false;
  auto beside = open(*archives, "noisy");
  const std::vector<float> answered = answer(*beside, input);
  std::future<std::vector<float>> together = std::async(std::launch::async, train);
  int during = 0;
  bool same = true;
  while (together.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    during += training ? 1 : 0;
    same = answer(*beside, input) == answered && same;
  }
  CHECK(together.get() == alone);
  CHECK(during > 0);
  CHECK(same);
}

TEST_CASE("an example that is answered with NaN is answered wrongly") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "nan_above");
  Examples examples = two_classes({40, 6}, 1);
  std::vector<std::int64_t> zeros(40, 0);
  examples.targets = make_tensor(std::span<const std::int64_t>(zeros), {40});
  const std::span<const float> x = examples.inputs.front().floats();
  const std::vector<float> outputs = answer(*model, examples.inputs.front());
  double right = 0.0;
  int above = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    above += x[6 * i] > 1.0F ? 1 : 0;
    right += outputs[2 * i] >= outputs[2 * i + 1] ? 1.0 : 0.0;  // false for NaN
  }
  REQUIRE(above > 0);
  CHECK(model->evaluate(examples).accuracy.value() == doctest::Approx(right / 40.0));
}

TEST_CASE("a yes-or-no answer of NaN is wrong") {
  auto model =
      engine().open(engine().build({"linear", {1}, 1, {}, 0}, 1), contract_for(Loss::bce_with_logits, {1}));
  model->weights()[0] = 1.0F;
  model->weights()[1] = 0.0F;
  const std::vector<float> x = {-1.0F, std::nanf(""), -3.0F, 4.0F};
  const std::vector<float> y = {0.0F, 0.0F, 0.0F, 1.0F};
  Examples examples;
  examples.inputs = {make_tensor(std::span<const float>(x), {4, 1})};
  examples.targets = make_tensor(std::span<const float>(y), {4});
  CHECK(model->evaluate(examples).accuracy.value() == 0.75);
}
