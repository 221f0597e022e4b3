#include "common/engine/torch/trial.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/engine/torch/failure.h"
#include "common/engine/torch/objective.h"
#include "common/engine/torch/random_draws.h"
#include "common/engine/torch/types.h"

namespace fl::libtorch {
namespace {

constexpr std::uint64_t noise_seed = 1;

struct MadeUpInputs {
  std::vector<c10::IValue> values;
  std::string description;  // "x is FP32 [2, 6, 40] and z is INT64 [2]"
};

/// Between 0 and 1, where most models expect numbers, and different ones, because some divide by how much
/// they differ. Zeros where a number may stand for one of a few things.
at::Tensor noise(const Shape& shape, Datatype datatype, std::uint64_t seed) {
  if (!is_floating(datatype)) return at::zeros(shape, scalar_type(datatype));
  at::Tensor tensor = at::empty(shape, at::kFloat);
  Random random(seed);
  float* const values = tensor.data_ptr<float>();
  std::generate(values, values + tensor.numel(), [&] { return static_cast<float>(random.uniform()); });
  return tensor;
}

MadeUpInputs make_up(const TaskContract& contract, std::int64_t examples, std::int64_t any_size) {
  MadeUpInputs inputs;
  for (const TensorSpec& spec : contract.inputs) {
    Shape shape = spec.shape;
    for (std::int64_t& size : shape) size = size < 0 ? any_size : size;
    shape.front() = examples;
    inputs.values.emplace_back(noise(shape, spec.datatype, derive_seed(noise_seed, inputs.values.size())));
    if (!inputs.description.empty()) inputs.description += " and ";
    inputs.description += spec.name + " is " + std::string(name(spec.datatype)) + " " + describe(shape);
  }
  return inputs;
}

/// What dimensions of any size are tried with, in this order.
std::vector<std::int64_t> sizes_to_try(const TaskContract& contract) {
  for (const TensorSpec& spec : contract.inputs) {
    if (std::any_of(spec.shape.begin() + 1, spec.shape.end(), [](std::int64_t size) { return size < 0; })) {
      return {32, 256, 1};
    }
  }
  return {1};
}

/// What to add where a run failed because the model was made fp32.
std::string about_conversion(const Binding& binding) {
  const std::string names = binding.converted_names();
  if (names.empty()) return "";
  return " (it stores " + names + " in another type than fp32 and must run on fp32; convert the model with " +
         "model.float() before scripting it)";
}

class TrialRun {
 public:
  TrialRun(Binding& binding, const TaskContract& contract) : binding_(binding), contract_(contract) {}

  Trial run();

 private:
  std::int64_t run_on_two();
  void run_on(const MadeUpInputs& inputs);
  void check(const MadeUpInputs& inputs, std::int64_t examples) const;

  Binding& binding_;
  const TaskContract& contract_;
  RandomDraws draws_{answers_seed};
  bool changes_weights_ = false;
  std::vector<at::Tensor> outputs_;
};

Trial TrialRun::run() {
  const std::int64_t size = run_on_two();
  const MadeUpInputs one = make_up(contract_, 1, size);
  run_on(one);
  check(one, 1);
  return {contract_.loss == Loss::cross_entropy ? outputs_.front().size(1) : 0, draws_.draws(),
          changes_weights_};
}

/// Returns the first size of those to try that the model runs on.
std::int64_t TrialRun::run_on_two() {
  std::optional<Error> first_failure;
  for (const std::int64_t size : sizes_to_try(contract_)) {
    const MadeUpInputs two = make_up(contract_, 2, size);
    try {
      run_on(two);
    } catch (const Error& failure) {
      if (!first_failure) first_failure = failure;
      continue;
    }
    check(two, 2);
    return size;
  }
  throw Error(first_failure->code(), first_failure->what() + about_conversion(binding_));
}

void TrialRun::run_on(const MadeUpInputs& inputs) {
  const Binding::Evaluating evaluating(binding_, true);
  guarded("the model does not take its inputs as declared: " + inputs.description + "; running it said",
          [&] { draws_.run([&] { outputs_ = forward(binding_.module(), inputs.values); }); });
  changes_weights_ = changes_weights_ || evaluating.changed();
}

void TrialRun::check(const MadeUpInputs& inputs, std::int64_t examples) const {
  check_outputs(outputs_, contract_, examples);
  for (const at::Tensor& output : outputs_) {
    if (at::isfinite(output).all().item<bool>()) continue;
    throw Error(ErrorCode::invalid_data, "the model gives NaN or infinite values on made-up inputs: " +
                                             inputs.description + ", floating ones between 0 and 1");
  }
}

}  // namespace

Trial try_out(Binding& binding, const TaskContract& contract) {
  const at::NoGradGuard no_gradient;
  return TrialRun(binding, contract).run();
}

}  // namespace fl::libtorch
