#include <string>

#include <ATen/core/grad_mode.h>

#include "common/base/error.h"
#include "common/engine/torch/archive.h"
#include "common/engine/torch/binding.h"
#include "common/engine/torch/failure.h"
#include "common/engine/torch/feed.h"
#include "common/engine/torch/fit.h"
#include "common/engine/torch/objective.h"
#include "common/engine/torch/open_model.h"
#include "common/engine/torch/random_draws.h"
#include "common/engine/torch/training.h"
#include "common/engine/torch/trial.h"
#include "common/engine/torch/types.h"

namespace fl::libtorch {
namespace {

constexpr const char* running = "running the archive's code";

class TorchModel final : public Model {
 public:
  TorchModel(const torch::jit::Module& module, const TaskContract& contract)
      : binding_(std::make_unique<Binding>(module)), contract_(contract) {}

  const Layout& layout() const override { return binding_->layout(); }
  std::span<float> weights() override { return binding_->weights(); }

  void try_out() override;
  std::vector<Tensor> predict(std::span<const TensorView> inputs) override;
  TrainingResult train(const Examples& examples, const TrainingPlan& plan, const TrainingSession& session,
                       const ProgressCallback& progress) override;
  Evaluation evaluate(const Examples& examples) override;
  Bytes save() const override;

 private:
  std::unique_ptr<Binding> binding_;
  TaskContract contract_;
  Trial trial_;
};

void TorchModel::try_out() {
  trial_ = guarded("trying the model", [&] {
    use_one_thread();
    return libtorch::try_out(*binding_, contract_);
  });
}

std::vector<Tensor> TorchModel::predict(std::span<const TensorView> inputs) {
  check_inputs(inputs, contract_);
  return guarded(running, [&] {
    use_one_thread();
    const at::NoGradGuard no_gradient;
    std::vector<c10::IValue> tensors;
    tensors.reserve(inputs.size());
    for (const TensorView& input : inputs) tensors.emplace_back(copy_in(input));
    const Binding::Evaluating evaluating(*binding_, trial_.changes_weights);
    std::vector<at::Tensor> outputs;
    RandomDraws(answers_seed, trial_.draws).run([&] { outputs = forward(binding_->module(), tensors); });
    std::vector<Tensor> result;
    for (const at::Tensor& output : outputs) result.push_back(copy_out(output));
    return result;
  });
}

void check_correction(const TrainingPlan& plan, std::span<const float> correction, std::size_t trained) {
  if (correction.empty()) return;
  const bool plain = plan.optimizer == Optimizer::sgd && plan.momentum == 0.0;
  if (!plain) {
    throw Error(ErrorCode::invalid_argument, "a correction of the gradients needs sgd without momentum");
  }
  if (correction.size() == trained) return;
  throw Error(ErrorCode::invalid_argument, "a correction of " + std::to_string(correction.size()) +
                                               " elements was given, " + std::to_string(trained) +
                                               " are trained");
}

TrainingResult TorchModel::train(const Examples& examples, const TrainingPlan& plan,
                                 const TrainingSession& session, const ProgressCallback& progress) {
  plan.validate();
  if (examples.count() == 0) throw Error(ErrorCode::invalid_argument, "there are no examples to train on");
  check_correction(plan, session.correction, binding_->trained().size());
  check_examples(examples, contract_, trial_.classes);
  return guarded(running, [&] {
    use_one_thread();
    return libtorch::train(*binding_, contract_.loss, examples, plan, session, progress);
  });
}

Evaluation TorchModel::evaluate(const Examples& examples) {
  if (examples.count() == 0) return {};
  check_examples(examples, contract_, trial_.classes);
  return guarded(running, [&] {
    use_one_thread();
    return libtorch::evaluate(*binding_, contract_.loss, examples, trial_);
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
    model->try_out();
    return std::unique_ptr<Model>(std::move(model));
  });
}

}  // namespace fl::libtorch
