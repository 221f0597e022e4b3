#include "common/engine/torch/objective.h"

#include <string>

#include <ATen/Functions.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include "common/base/error.h"
#include "common/engine/torch/types.h"

namespace fl::libtorch {
namespace {

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_data, sentence);
}

std::string counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string shape_text(const at::Tensor& tensor) {
  return describe(shape(tensor));
}

std::int64_t per_example(const at::Tensor& output) {
  return output.size(0) == 0 ? 0 : output.numel() / output.size(0);
}

/// Targets [n] go with outputs [n, 1] and the other way round; any other difference is a mistake that
/// broadcasting would hide.
at::Tensor shaped_like(const at::Tensor& target, const at::Tensor& output) {
  if (target.sizes() == output.sizes()) return target;
  const bool same_but_for_ones = target.numel() == output.numel() && output.numel() == output.size(0);
  if (!same_but_for_ones) {
    refuse("the model gives " + shape_text(output) + " where the targets are " + shape_text(target));
  }
  return target.view(output.sizes());
}

at::Tensor loss_of_output(Loss loss, const at::Tensor& output, const at::Tensor& target) {
  switch (loss) {
    case Loss::cross_entropy:
      return at::cross_entropy_loss(output, target);
    case Loss::mse:
      return at::mse_loss(output, shaped_like(target, output));
    case Loss::bce_with_logits:
      return at::binary_cross_entropy_with_logits(output, shaped_like(target, output));
    case Loss::own:
      break;
  }
  throw Error(ErrorCode::internal, "the archive's own loss does not go by its output");
}

/// Runs a method as it is written. libtorch's optimiser would rewrite it after having watched the first runs:
/// on CPUs it is no faster for that (measured), its first batches take tens of milliseconds longer, and a
/// result could depend on how often the method has run before.
c10::IValue call(const torch::jit::Module& module, const std::string& method,
                 std::vector<c10::IValue> arguments) {
  const torch::jit::GraphOptimizerEnabledGuard unoptimized(false);
  return module.get_method(method)(std::move(arguments));
}

at::Tensor own_loss(const torch::jit::Module& module, std::vector<c10::IValue> arguments,
                    const at::Tensor& target) {
  arguments.emplace_back(target);
  const c10::IValue result = call(module, "loss", std::move(arguments));
  if (!result.isTensor() || result.toTensor().numel() != 1 || !result.toTensor().is_floating_point()) {
    refuse("the archive's method loss gives no single floating-point number");
  }
  return result.toTensor().sum();
}

Score count_right(Loss loss, const at::Tensor& output, const at::Tensor& target) {
  Score result;
  at::Tensor right;
  if (loss == Loss::cross_entropy) {
    right = output.argmax(1).eq(target);
  } else if (loss == Loss::bce_with_logits) {
    right = output.gt(0).eq(shaped_like(target, output).gt(0.5));
  } else {
    return result;
  }
  const std::int64_t examples = output.size(0);
  const at::Tensor finite = at::isfinite(output).reshape({examples, -1}).all(1, true);
  result.right =
      static_cast<double>(right.reshape({examples, -1}).logical_and(finite).sum().item<std::int64_t>());
  result.answers = static_cast<double>(right.numel());
  return result;
}

/// "the model gives [2, 5] for 2 examples"
std::string given(const at::Tensor& output, std::int64_t count) {
  if (count == 1) return "for one example the model gives " + shape_text(output);
  return "the model gives " + shape_text(output) + " for " + std::to_string(count) + " examples";
}

void check_output(const at::Tensor& output, const TensorSpec& spec, std::int64_t count) {
  const std::string what = "output '" + spec.name + "'";
  if (spec.datatype != Datatype::fp32) {
    refuse(what + " is FP32, the contract says " + std::string(name(spec.datatype)));
  }
  const bool batched = output.dim() > 0 && output.size(0) == count;
  bool fits = batched && output.dim() == static_cast<std::int64_t>(spec.shape.size());
  for (std::size_t i = 1; fits && i < spec.shape.size(); ++i) {
    fits = spec.shape[i] < 0 || output.size(static_cast<std::int64_t>(i)) == spec.shape[i];
  }
  if (fits) return;
  Shape shape = output.sizes().vec();
  if (batched) shape.front() = -1;
  refuse((count == 1 ? "for one example the model gives " : "the model gives ") + what + " the shape " +
         describe(shape) + ", the contract says " + describe(spec.shape));
}

void check_against_labels(const at::Tensor& output, const TaskContract& contract) {
  const auto labels = static_cast<std::int64_t>(contract.labels.size());
  const std::int64_t values = per_example(output);
  // A single output tells two labels apart by its sign.
  const bool by_sign = contract.loss == Loss::bce_with_logits && values == 1 && labels == 2;
  if (labels == 0 || values == labels || by_sign) return;
  refuse("the model gives " + counted(static_cast<std::size_t>(values), "output") +
         " per example, the task has " + counted(contract.labels.size(), "label"));
}

/// What the losses that go by the first output ask of it.
void check_against_loss(const at::Tensor& output, const TaskContract& contract, std::int64_t count) {
  if (output.dim() == 0 || output.size(0) != count) {
    refuse(given(output, count) + "; the first dimension must be the batch");
  }
  if (!output.is_floating_point()) {
    refuse("the model gives " + std::string(c10::toString(output.scalar_type())) + " values, the loss " +
           std::string(name(contract.loss)) + " needs FP32");
  }
  if (contract.loss == Loss::cross_entropy && output.dim() != 2) {
    refuse(given(output, count) + ", cross_entropy needs [" + std::to_string(count) + ", classes]");
  }
  check_against_labels(output, contract);
}

}  // namespace

std::vector<at::Tensor> forward(const torch::jit::Module& module, std::vector<c10::IValue> inputs) {
  const c10::IValue result = call(module, "forward", std::move(inputs));
  if (result.isTensor()) return {result.toTensor()};
  if (result.isTensorList()) return result.toTensorVector();
  if (!result.isTuple())
    refuse("forward gives a " + result.tagKind() + ", not a tensor or a tuple of tensors");
  std::vector<at::Tensor> outputs;
  for (const c10::IValue& each : result.toTupleRef().elements()) {
    if (!each.isTensor()) refuse("forward gives a tuple with a " + each.tagKind() + ", not of tensors alone");
    outputs.push_back(each.toTensor());
  }
  if (outputs.empty()) refuse("forward gives an empty tuple");
  return outputs;
}

at::Tensor mean_loss(const torch::jit::Module& module, Loss loss, const std::vector<c10::IValue>& inputs,
                     const at::Tensor& target) {
  if (loss == Loss::own) return own_loss(module, inputs, target);
  return loss_of_output(loss, forward(module, inputs).front(), target);
}

Score score(const torch::jit::Module& module, Loss loss, const std::vector<c10::IValue>& inputs,
            const at::Tensor& target) {
  if (loss == Loss::own) {
    Score result;
    result.loss = own_loss(module, inputs, target).item<double>();
    return result;
  }
  const at::Tensor output = forward(module, inputs).front();
  Score result = count_right(loss, output, target);
  result.loss = loss_of_output(loss, output, target).item<double>();
  return result;
}

void check_outputs(const std::vector<at::Tensor>& outputs, const TaskContract& contract, std::int64_t count) {
  if (contract.loss != Loss::own) check_against_loss(outputs.front(), contract, count);
  if (contract.outputs.empty()) return;
  if (outputs.size() != contract.outputs.size()) {
    refuse("the model gives " + counted(outputs.size(), "output") + ", the contract names " +
           std::to_string(contract.outputs.size()));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) check_output(outputs[i], contract.outputs[i], count);
}

}  // namespace fl::libtorch
