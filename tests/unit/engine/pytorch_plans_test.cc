#include <algorithm>
#include <cmath>
#include <map>

#include <doctest/doctest.h>

#include "tests/unit/engine/python_archives.h"
#include "tests/unit/engine/support.h"

using namespace fl;
using namespace fl::test;

namespace {

TrainingPlan batches_of(Optimizer optimizer, double learning_rate) {
  TrainingPlan plan = plain_plan(PythonArchives::epochs, PythonArchives::batch_size, learning_rate);
  plan.optimizer = optimizer;
  return plan;
}

/// The plans of make_archives.py, by name.
std::map<std::string, TrainingPlan> plans() {
  TrainingPlan momentum = batches_of(Optimizer::sgd, 0.1);
  momentum.momentum = 0.9;
  momentum.weight_decay = 0.01;
  momentum.gradient_clip = 0.1;
  TrainingPlan adam = batches_of(Optimizer::adam, 0.01);
  adam.beta1 = 0.8;
  adam.beta2 = 0.95;
  adam.epsilon = 1e-4;
  adam.weight_decay = 0.01;
  TrainingPlan slow_adam = batches_of(Optimizer::adam, 0.01);
  slow_adam.beta1 = 0.9999;
  slow_adam.beta2 = 0.9999999;
  TrainingPlan proximal = batches_of(Optimizer::sgd, 0.1);
  proximal.momentum = 0.5;
  proximal.proximal_mu = 0.5;
  TrainingPlan everything = batches_of(Optimizer::adam, 0.01);
  everything.epsilon = 1e-4;
  everything.weight_decay = 0.01;
  everything.gradient_clip = 0.1;
  everything.proximal_mu = 0.5;
  return {{"momentum", momentum},
          {"adam", adam},
          {"slow_adam", slow_adam},
          {"proximal", proximal},
          {"everything", everything}};
}

void check_trains_as_pytorch(const PythonArchives& archives, const std::string& name,
                             const std::string& plan_name) {
  CAPTURE(name);
  CAPTURE(plan_name);
  auto model = engine().open(archives.archive(name), contract_for(Loss::cross_entropy, {6}));
  model->train(archives.examples(name), plans().at(plan_name), {1, PythonArchives::seed}, nullptr);
  const std::vector<float> trained = archives.trained(name, plan_name);
  REQUIRE(trained.size() == model->weights().size());
  float largest = 0.0F;
  for (std::size_t i = 0; i < trained.size(); ++i) {
    largest = std::max(largest, std::abs(trained[i] - model->weights()[i]));
  }
  CHECK(largest < 2e-6F);
}

}  // namespace

TEST_CASE("every optimiser, clipping and the proximal term train in batches as PyTorch trains") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  for (const auto& [plan_name, plan] : plans()) check_trains_as_pytorch(*archives, "mlp", plan_name);
  check_trains_as_pytorch(*archives, "batchnorm", "momentum");
  check_trains_as_pytorch(*archives, "batchnorm", "proximal");
}

TEST_CASE(
    "a parameter without a gradient is left alone, with weight decay, momentum and moments, as in PyTorch") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  for (const auto& [plan_name, plan] : plans()) check_trains_as_pytorch(*archives, "used_once", plan_name);
}
