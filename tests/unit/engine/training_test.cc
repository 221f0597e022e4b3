#include <array>
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/engine/support.h"

using namespace fl;
using namespace fl::test;

namespace {

/// Linear regression of two inputs worked out by hand: y = w0 x0 + w1 x1 + b, mean squared error.
struct Oracle {
  std::array<double, 3> weights{};
  std::array<double, 3> start{};
  std::array<double, 3> first{};
  std::array<double, 3> second{};
  int steps = 0;

  std::array<double, 3> gradient(const Examples& data) const {
    const auto x = data.inputs.front().floats();
    const auto y = data.targets.floats();
    std::array<double, 3> result{};
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double x0 = x[2 * i];
      const double x1 = x[2 * i + 1];
      const double error = weights[0] * x0 + weights[1] * x1 + weights[2] - static_cast<double>(y[i]);
      const double scale = 2.0 * error / static_cast<double>(y.size());
      result[0] += scale * x0;
      result[1] += scale * x1;
      result[2] += scale;
    }
    return result;
  }

  std::array<double, 3> correction{};

  /// One step over all examples, as PyTorch's SGD and Adam, clip_grad_norm_ and FedProx are written down.
  void step(const Examples& data, const TrainingPlan& plan, double rate) {
    ++steps;
    std::array<double, 3> g = gradient(data);
    double norm = 0.0;
    for (std::size_t i = 0; i < 3; ++i) {
      g[i] += plan.proximal_mu * (weights[i] - start[i]);
      norm += g[i] * g[i];
    }
    norm = std::sqrt(norm);
    for (std::size_t i = 0; i < 3; ++i) {
      if (plan.gradient_clip > 0.0 && norm > plan.gradient_clip) g[i] *= plan.gradient_clip / (norm + 1e-6);
      g[i] += plan.weight_decay * weights[i] + correction[i];
      if (plan.optimizer == Optimizer::adam) {
        adam(i, g[i], plan, rate);
      } else {
        first[i] = plan.momentum * first[i] + g[i];
        weights[i] -= rate * first[i];
      }
    }
  }

  void adam(std::size_t i, double g, const TrainingPlan& plan, double rate) {
    first[i] = plan.beta1 * first[i] + (1.0 - plan.beta1) * g;
    second[i] = plan.beta2 * second[i] + (1.0 - plan.beta2) * g * g;
    const double mean = first[i] / (1.0 - std::pow(plan.beta1, steps));
    const double variance = second[i] / (1.0 - std::pow(plan.beta2, steps));
    weights[i] -= rate * mean / (std::sqrt(variance) + plan.epsilon);
  }
};

Examples regression(std::int64_t count) {
  Examples examples;
  examples.inputs = {normal_inputs({count, 2}, 11)};
  const auto x = examples.inputs.front().floats();
  std::vector<float> y(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = 3.0F * x[2 * i] - x[2 * i + 1] + 0.5F;
  examples.targets = make_tensor(std::span<const float>(y), {count, 1});
  return examples;
}

std::unique_ptr<Model> linear_model(std::uint64_t seed = 1) {
  return engine().open(engine().build({"linear", {2}, 1, {}, 0}, seed), contract_for(Loss::mse, {2}));
}

/// Trains ten full-batch steps and compares with the oracle; the order of examples does not matter then.
void check_against_oracle(TrainingPlan plan, std::uint64_t round = 1) {
  const Examples data = regression(20);
  plan.epochs = 10;
  plan.batch_size = 20;
  auto model = linear_model();
  Oracle oracle;
  for (std::size_t i = 0; i < 3; ++i) oracle.weights[i] = oracle.start[i] = model->weights()[i];
  const TrainingResult result = model->train(data, plan, {round, 5}, nullptr);
  CHECK(result.steps == 10);
  for (int i = 0; i < 10; ++i) oracle.step(data, plan, plan.learning_rate_at(round));
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(model->weights()[i] == doctest::Approx(oracle.weights[i]).epsilon(1e-6));
  }
}

std::vector<float> trained_weights(const Architecture& architecture, const TaskContract& contract,
                                   const Examples& data, const TrainingPlan& plan, std::uint64_t seed) {
  auto model = engine().open(engine().build(architecture, 1), contract);
  model->train(data, plan, {1, seed}, nullptr);
  return copy_of(model->weights());
}

}  // namespace

TEST_CASE("plain SGD follows the formula") {
  check_against_oracle(plain_plan(10, 20, 0.05));
}

TEST_CASE("every step of SGD is corrected by what the session adds to the gradient") {
  const Examples data = regression(20);
  TrainingPlan plan = plain_plan(10, 20, 0.05);
  plan.weight_decay = 0.1;
  const std::vector<float> correction = {0.5F, -1.0F, 2.0F};
  auto model = linear_model();
  Oracle oracle;
  for (std::size_t i = 0; i < 3; ++i) {
    oracle.weights[i] = oracle.start[i] = model->weights()[i];
    oracle.correction[i] = correction[i];
  }
  TrainingSession session{1, 5};
  session.correction = correction;
  CHECK(model->train(data, plan, session, nullptr).steps == 10);
  for (int i = 0; i < 10; ++i) oracle.step(data, plan, 0.05);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(model->weights()[i] == doctest::Approx(oracle.weights[i]).epsilon(1e-6));
  }
}

TEST_CASE("a correction that does not fit or is not for plain SGD is refused and changes nothing (I9)") {
  const Examples data = regression(20);
  const std::vector<float> correction(3, 1.0F);
  const auto refusal = [&](const TrainingPlan& plan, std::size_t elements) {
    auto model = linear_model();
    const std::vector<float> before = copy_of(model->weights());
    TrainingSession session;
    session.correction = std::span<const float>(correction).first(elements);
    std::string sentence;
    try {
      model->train(data, plan, session, nullptr);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::invalid_argument);
      sentence = error.what();
    }
    CHECK((sentence.empty() || copy_of(model->weights()) == before));
    return sentence;
  };
  TrainingPlan plan = plain_plan(1, 20, 0.05);
  CHECK(refusal(plan, 3).empty());
  CHECK(refusal(plan, 2) == "a correction of 2 elements was given, 3 are trained");
  plan.momentum = 0.5;
  CHECK(refusal(plan, 3) == "a correction of the gradients needs sgd without momentum");
  plan.momentum = 0.0;
  plan.optimizer = Optimizer::adam;
  CHECK(refusal(plan, 3) == "a correction of the gradients needs sgd without momentum");
}

TEST_CASE("SGD with momentum follows the formula") {
  TrainingPlan plan = plain_plan(10, 20, 0.05);
  plan.momentum = 0.9;
  check_against_oracle(plan);
}

TEST_CASE("SGD with momentum and weight decay follows the formula") {
  TrainingPlan plan = plain_plan(10, 20, 0.05);
  plan.momentum = 0.5;
  plan.weight_decay = 0.1;
  check_against_oracle(plan);
}

TEST_CASE("Adam follows the formula with bias correction and weight decay") {
  TrainingPlan plan = plain_plan(10, 20, 0.05);
  plan.optimizer = Optimizer::adam;
  check_against_oracle(plan);
  plan.weight_decay = 0.1;
  plan.beta1 = 0.8;
  plan.beta2 = 0.95;
  plan.epsilon = 1e-4;
  check_against_oracle(plan);
}

TEST_CASE("Adam follows the formula with averages over very many steps") {
  TrainingPlan plan = plain_plan(10, 20, 0.05);
  plan.optimizer = Optimizer::adam;
  for (const double beta2 : {0.9999, 0.9999999, 0.99999999}) {
    for (const double beta1 : {0.9, 0.9999, 0.9999999}) {
      CAPTURE(beta1);
      CAPTURE(beta2);
      plan.beta1 = beta1;
      plan.beta2 = beta2;
      check_against_oracle(plan);
    }
  }
}

TEST_CASE("the proximal term pulls to the weights the session started with") {
  TrainingPlan plan = plain_plan(10, 20, 0.05);
  plan.proximal_mu = 2.0;
  check_against_oracle(plan);
  plan.momentum = 0.9;
  plan.gradient_clip = 1.0;
  check_against_oracle(plan);
}

TEST_CASE("gradients are clipped by their norm over all parameters") {
  TrainingPlan plan = plain_plan(10, 20, 0.05);
  plan.gradient_clip = 0.7;
  check_against_oracle(plan);
  plan.gradient_clip = 1e6;
  check_against_oracle(plan);
}

TEST_CASE("the learning rate follows the schedule by round") {
  TrainingPlan plan = plain_plan(10, 20, 0.1);
  plan.schedule = Schedule::exponential;
  plan.schedule_factor = 0.5;
  check_against_oracle(plan, 1);
  check_against_oracle(plan, 4);
}

TEST_CASE("the same seed trains to the same bits and another seed to others (I4)") {
  const Architecture architecture{"cnn1d", {6, 50}, 2, {}, 0};
  const TaskContract contract = contract_for(Loss::cross_entropy, {6, 50}, 2);
  const Examples data = two_classes({50, 6, 50}, 3);
  const TrainingPlan plan = plain_plan(2, 16, 0.05);
  const std::vector<float> weights = trained_weights(architecture, contract, data, plan, 7);
  CHECK(trained_weights(architecture, contract, data, plan, 7) == weights);
  CHECK(trained_weights(architecture, contract, data, plan, 8) != weights);
}

TEST_CASE("a session depends on nothing that the model did before it (I4)") {
  const Examples data = two_classes({50, 6, 50}, 3);
  const TrainingPlan plan = plain_plan(1, 16, 0.05);
  auto model = engine().open(engine().build({"cnn1d", {6, 50}, 2, {}, 0}, 1),
                             contract_for(Loss::cross_entropy, {6, 50}, 2));
  const std::vector<float> start = copy_of(model->weights());
  std::vector<std::vector<float>> ends;
  for (int i = 0; i < 4; ++i) {
    std::copy(start.begin(), start.end(), model->weights().begin());
    model->train(data, plan, {1, 7}, nullptr);
    model->evaluate(data);
    ends.push_back(copy_of(model->weights()));
  }
  CHECK(ends[1] == ends[0]);
  CHECK(ends[2] == ends[0]);
  CHECK(ends[3] == ends[0]);
}

TEST_CASE("writing to the flat vector changes the model and training changes the vector") {
  auto model = linear_model();
  const std::vector<float> wanted = {2.0F, -1.0F, 0.25F};
  std::copy(wanted.begin(), wanted.end(), model->weights().begin());
  const std::vector<float> x = {1.0F, 1.0F, 0.0F, 4.0F};
  const Tensor input = make_tensor(std::span<const float>(x), {2, 2});
  const std::vector<TensorView> inputs = {input.view()};
  const std::vector<Tensor> outputs = model->predict(inputs);
  CHECK(outputs.size() == 1);
  CHECK(outputs[0].shape == Shape{2, 1});
  CHECK(copy_of(outputs[0].floats()) == std::vector<float>{1.25F, -3.75F});
  model->train(regression(20), plain_plan(1, 20, 0.1), {}, nullptr);
  CHECK(copy_of(model->weights()) != wanted);
}

TEST_CASE("steps count batches across epochs and epochs count the remainder") {
  const Examples data = regression(40);
  auto model = linear_model();
  CHECK(model->train(data, plain_plan(3, 16, 0.01), {}, nullptr).steps == 9);
  TrainingPlan plan = plain_plan(0, 16, 0.01);
  plan.steps = 7;
  CHECK(model->train(data, plan, {}, nullptr).steps == 7);
}

TEST_CASE("a remainder of one example joins the batch before it") {
  auto model = linear_model();
  CHECK(model->train(regression(33), plain_plan(1, 16, 0.01), {}, nullptr).steps == 2);
  CHECK(model->train(regression(34), plain_plan(1, 16, 0.01), {}, nullptr).steps == 3);
  CHECK(model->train(regression(17), plain_plan(1, 16, 0.01), {}, nullptr).steps == 1);
  CHECK(model->train(regression(1), plain_plan(1, 16, 0.01), {}, nullptr).steps == 1);
  CHECK(model->train(regression(3), plain_plan(1, 1, 0.01), {}, nullptr).steps == 3);
}

TEST_CASE("every example counts once in an epoch whatever the remainder") {
  for (const std::int64_t count : {32, 33, 34, 47, 48}) {
    CAPTURE(count);
    auto model = linear_model();
    const Examples data = regression(count);
    const double loss = model->train(data, plain_plan(1, 16, 1e-12), {}, nullptr).loss;
    CHECK(loss == doctest::Approx(model->evaluate(data).loss).epsilon(1e-6));
  }
}

TEST_CASE("progress is told after every batch and can stop the training") {
  auto model = linear_model();
  std::vector<TrainingProgress> seen;
  const TrainingResult result =
      model->train(regression(40), plain_plan(2, 10, 0.01), {}, [&](const TrainingProgress& progress) {
        seen.push_back(progress);
        return progress.step < 3;
      });
  CHECK(result.cancelled);
  CHECK(result.steps == 3);
  CHECK(seen.size() == 3);
  CHECK(seen.back().step == 3);
  CHECK(seen.back().steps == 8);
  CHECK(std::isfinite(seen.back().loss));
}

TEST_CASE("a training that ends before it is told to stop was not cancelled") {
  auto model = linear_model();
  const TrainingResult result = model->train(regression(40), plain_plan(1, 40, 0.01), {},
                                             [](const TrainingProgress&) { return false; });
  CHECK_FALSE(result.cancelled);
}

TEST_CASE("the loss is the mean over the last epoch as trained") {
  const Examples data = regression(20);
  auto model = linear_model();
  const double before = model->evaluate(data).loss;
  CHECK(model->train(data, plain_plan(1, 20, 0.05), {}, nullptr).loss == doctest::Approx(before));
  const double between = model->evaluate(data).loss;
  CHECK(between < before);
  auto other = linear_model();
  CHECK(other->train(data, plain_plan(2, 20, 0.05), {}, nullptr).loss == doctest::Approx(between));
}

TEST_CASE("a loss that explodes restores the weights (I9)") {
  auto model = linear_model();
  const std::vector<float> before = copy_of(model->weights());
  try {
    model->train(regression(40), plain_plan(2000, 8, 10.0), {}, nullptr);
    FAIL("the loss did not explode");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_data);
    CHECK(std::string(error.what()).find("lower the learning rate") != std::string::npos);
  }
  CHECK(copy_of(model->weights()) == before);
}

TEST_CASE("a NaN among the examples restores the weights (I9)") {
  auto model = linear_model();
  const std::vector<float> before = copy_of(model->weights());
  Examples data = regression(40);
  std::vector<float> x = copy_of(data.inputs.front().floats());
  x[33] = std::numeric_limits<float>::quiet_NaN();
  data.inputs.front() = make_tensor(std::span<const float>(x), {40, 2});
  CHECK_THROWS_AS(model->train(data, plain_plan(1, 8, 0.01), {}, nullptr), Error);
  CHECK(copy_of(model->weights()) == before);
  CHECK(model->train(regression(40), plain_plan(1, 8, 0.01), {}, nullptr).steps == 5);
}

TEST_CASE("a callback that throws restores the weights and passes its exception") {
  auto model = linear_model();
  const std::vector<float> before = copy_of(model->weights());
  const auto fails = [](const TrainingProgress& progress) -> bool {
    if (progress.step == 2) throw Error(ErrorCode::cancelled, "enough");
    return true;
  };
  CHECK_THROWS_WITH_AS(model->train(regression(40), plain_plan(1, 8, 0.01), {}, fails), "enough", Error);
  CHECK(copy_of(model->weights()) == before);
}

TEST_CASE("regression has a loss and no accuracy") {
  auto model = linear_model();
  const Evaluation evaluation = model->evaluate(regression(300));
  CHECK(evaluation.examples == 300);
  CHECK(evaluation.loss > 0.0);
  CHECK_FALSE(evaluation.accuracy.has_value());
}

TEST_CASE("evaluating no examples gives an evaluation of none") {
  const Evaluation evaluation = linear_model()->evaluate({});
  CHECK(evaluation.examples == 0);
  CHECK_FALSE(evaluation.accuracy.has_value());
}

TEST_CASE("binary cross-entropy counts outputs on the right side of zero") {
  auto model =
      engine().open(engine().build({"linear", {1}, 1, {}, 0}, 1), contract_for(Loss::bce_with_logits, {1}));
  model->weights()[0] = 1.0F;
  model->weights()[1] = 0.0F;
  const std::vector<float> x = {2.0F, -1.0F, 3.0F, -4.0F};
  const std::vector<float> y = {1.0F, 0.0F, 0.0F, 0.0F};
  Examples data;
  data.inputs = {make_tensor(std::span<const float>(x), {4, 1})};
  data.targets = make_tensor(std::span<const float>(y), {4});
  const Evaluation evaluation = model->evaluate(data);
  double loss = 0.0;
  for (std::size_t i = 0; i < 4; ++i) {
    const double probability = 1.0 / (1.0 + std::exp(-static_cast<double>(x[i])));
    loss -= std::log(y[i] > 0.5F ? probability : 1.0 - probability) / 4.0;
  }
  CHECK(evaluation.loss == doctest::Approx(loss));
  CHECK(evaluation.accuracy.value() == 0.75);
  CHECK(model->train(data, plain_plan(20, 2, 0.5), {}, nullptr).steps == 40);
}

TEST_CASE("cross-entropy over many batches is the mean over all examples") {
  auto model =
      engine().open(engine().build({"linear", {3}, 2, {}, 0}, 1), contract_for(Loss::cross_entropy, {3}, 2));
  const Examples data = two_classes({300, 3}, 4);
  const auto x = data.inputs.front().floats();
  const auto y = data.targets.integers();
  const auto w = model->weights();
  double loss = 0.0;
  double right = 0.0;
  for (std::size_t i = 0; i < 300; ++i) {
    std::array<double, 2> z{w[6], w[7]};
    for (std::size_t k = 0; k < 3; ++k) {
      z[0] += static_cast<double>(w[k]) * static_cast<double>(x[3 * i + k]);
      z[1] += static_cast<double>(w[3 + k]) * static_cast<double>(x[3 * i + k]);
    }
    loss += std::log(std::exp(z[0]) + std::exp(z[1])) - z[static_cast<std::size_t>(y[i])];
    right += (z[1] > z[0]) == (y[i] == 1) ? 1.0 : 0.0;
  }
  const Evaluation evaluation = model->evaluate(data);
  CHECK(evaluation.loss == doctest::Approx(loss / 300.0));
  CHECK(evaluation.accuracy.value() == doctest::Approx(right / 300.0));
}
