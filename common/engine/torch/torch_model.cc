#include <array>
#include <string>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include "common/base/error.h"
#include "common/engine/torch/archive.h"
#include "common/engine/torch/binding.h"
#include "common/engine/torch/failure.h"
#include "common/engine/torch/feed.h"
#include "common/engine/torch/fit.h"
#include "common/engine/torch/objective.h"
#include "common/engine/torch/open_model.h"
#include "common/engine/torch/training.h"
#include "common/engine/torch/types.h"

namespace fl::libtorch {
namespace {

constexpr const char* running = "running the archive's code";

/// Examples in the trial batch of open: more than one, so that an output without a batch dimension shows.
constexpr std::int64_t trial_batch = 2;
/// Sizes that dimensions of any size are tried with, in this order.
constexpr std::array<std::int64_t, 3> trial_sizes = {32, 256, 1};

class TorchModel final : public Model {
 public:
  TorchModel(const torch::jit::Module& module, const TaskContract& contract)
      : binding_(std::make_unique<Binding>(module)), contract_(contract) {}

  /// Runs the module once and learns how many classes there are.
  void try_on_zeros();

  const Layout& layout() const override { return binding_->layout(); }
  std::span<float> weights() override { return binding_->weights(); }

  std::vector<Tensor> predict(std::span<const TensorView> inputs) override;
  TrainingResult train(const Examples& examples, const TrainingPlan& plan, const TrainingSession& session,
                       const ProgressCallback& progress) override;
  Evaluation evaluate(const Examples& examples) override;
  Bytes save() const override;

 private:
  std::vector<at::Tensor> run(std::vector<c10::IValue> inputs);
  std::vector<at::Tensor> run_on_zeros(std::int64_t any_size);

  std::unique_ptr<Binding> binding_;
  TaskContract contract_;
  std::int64_t classes_ = 0;
};

std::vector<at::Tensor> TorchModel::run(std::vector<c10::IValue> inputs) {
  const at::NoGradGuard no_gradient;
  binding_->prepare(false);
  std::vector<at::Tensor> outputs = forward(binding_->module(), std::move(inputs));
  binding_->settle();
  return outputs;
}

std::vector<at::Tensor> TorchModel::run_on_zeros(std::int64_t any_size) {
  std::vector<c10::IValue> inputs;
  for (const TensorSpec& spec : contract_.inputs) {
    Shape shape = spec.shape;
    for (std::int64_t& size : shape) size = size < 0 ? any_size : size;
    shape.front() = trial_batch;
    const at::ScalarType type = is_floating(spec.datatype) ? at::kFloat : scalar_type(spec.datatype);
    inputs.emplace_back(at::zeros(shape, type));
  }
  return run(std::move(inputs));
}

bool has_dimension_of_any_size(const TaskContract& contract) {
  for (const TensorSpec& spec : contract.inputs) {
    for (std::size_t i = 1; i < spec.shape.size(); ++i) {
      if (spec.shape[i] < 0) return true;
    }
  }
  return false;
}

/// What to add where the trial failed because the model was made fp32.
std::string about_conversion(const Binding& binding) {
  const std::string names = binding.converted_names();
  if (names.empty()) return "";
  return " (it stores " + names + " in another type than fp32 and must run on fp32; convert the model with " +
         "model.float() before scripting it)";
}

void TorchModel::try_on_zeros() {
  std::vector<at::Tensor> outputs;
  const std::size_t tries = has_dimension_of_any_size(contract_) ? trial_sizes.size() : 1;
  std::string first_failure;
  for (std::size_t i = 0; i < tries && outputs.empty(); ++i) {
    try {
      outputs = guarded("trying the archive on zeros", [&] { return run_on_zeros(trial_sizes[i]); });
    } catch (const Error& failure) {
      if (first_failure.empty()) first_failure = failure.what();
    }
  }
  if (outputs.empty()) throw Error(ErrorCode::invalid_data, first_failure + about_conversion(*binding_));
  check_outputs(outputs, contract_, trial_batch);
  if (contract_.loss == Loss::cross_entropy) classes_ = outputs.front().size(1);
}

std::vector<Tensor> TorchModel::predict(std::span<const TensorView> inputs) {
  check_inputs(inputs, contract_);
  return guarded(running, [&] {
    use_one_thread();
    std::vector<c10::IValue> tensors;
    tensors.reserve(inputs.size());
    for (const TensorView& input : inputs) tensors.emplace_back(copy_in(input));
    std::vector<Tensor> result;
    for (const at::Tensor& output : run(std::move(tensors))) result.push_back(copy_out(output));
    return result;
  });
}

TrainingResult TorchModel::train(const Examples& examples, const TrainingPlan& plan,
                                 const TrainingSession& session, const ProgressCallback& progress) {
  plan.validate();
  if (examples.count() == 0) throw Error(ErrorCode::invalid_argument, "there are no examples to train on");
  check_examples(examples, contract_, classes_);
  return guarded(running, [&] {
    use_one_thread();
    return libtorch::train(*binding_, contract_.loss, examples, plan, session, progress);
  });
}

Evaluation TorchModel::evaluate(const Examples& examples) {
  if (examples.count() == 0) return {};
  check_examples(examples, contract_, classes_);
  return guarded(running, [&] {
    use_one_thread();
    return libtorch::evaluate(*binding_, contract_.loss, examples);
  });
}

Bytes TorchModel::save() const {
  return guarded("saving the archive", [&] { return binding_->save(); });
}

/// What of a method's parameters must be given; the first one, the module itself, is not counted.
std::size_t required_arguments(const std::vector<c10::Argument>& parameters) {
  std::size_t required = 0;
  for (const c10::Argument& each : parameters) required += each.default_value() ? 0 : 1;
  return required - 1;
}

/// Holds a method's parameters against how many arguments it will be called with.
void check_method(const torch::jit::Module& module, const std::string& name, std::size_t arguments) {
  const auto method = module.find_method(name);
  if (!method) throw Error(ErrorCode::invalid_data, "the archive has no method " + name);
  const std::vector<c10::Argument>& parameters = method->function().getSchema().arguments();
  const std::size_t required = required_arguments(parameters);
  if (required <= arguments && arguments < parameters.size()) return;
  throw Error(ErrorCode::invalid_data, "the archive's method " + name + " takes " + std::to_string(required) +
                                           (required == 1 ? " argument" : " arguments") +
                                           ", the task gives it " + std::to_string(arguments));
}

void check_contract(const TaskContract& contract) {
  if (contract.inputs.empty()) throw Error(ErrorCode::invalid_argument, "the task names no inputs");
  for (const TensorSpec& input : contract.inputs) {
    if (!input.shape.empty()) continue;
    throw Error(ErrorCode::invalid_argument,
                "input '" + input.name + "' has no dimensions; the first one must be the batch");
  }
}

void check_methods(const torch::jit::Module& module, const TaskContract& contract) {
  check_method(module, "forward", contract.inputs.size());
  if (contract.loss == Loss::own) check_method(module, "loss", contract.inputs.size() + 1);
}

}  // namespace

std::unique_ptr<Model> open_model(ByteView archive, const TaskContract& contract) {
  check_contract(contract);
  return guarded("opening the archive", [&] {
    use_one_thread();
    const torch::jit::Module module = read_archive(archive);
    check_methods(module, contract);
    auto model = std::make_unique<TorchModel>(module, contract);
    model->try_on_zeros();
    return std::unique_ptr<Model>(std::move(model));
  });
}

}  // namespace fl::libtorch
