#include "common/engine/torch/fit.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "common/base/error.h"

namespace fl::libtorch {
namespace {

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_argument, sentence);
}

bool shape_fits(std::span<const std::int64_t> shape, const Shape& wanted) {
  if (shape.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 1 || (wanted[i] >= 0 && shape[i] != wanted[i])) return false;
  }
  return true;
}

void check_bytes(const std::string& what, const TensorView& tensor) {
  const std::size_t wanted = element_count(tensor.shape) * size_of(tensor.datatype);
  if (tensor.data.size() == wanted) return;
  refuse(what + " has " + std::to_string(tensor.data.size()) + " bytes, its shape " + describe(tensor.shape) +
         " needs " + std::to_string(wanted));
}

void check_input(const TensorView& input, const TensorSpec& spec) {
  const std::string what = "input '" + spec.name + "'";
  if (input.datatype != spec.datatype) {
    refuse(what + " is " + std::string(name(input.datatype)) + ", the model takes " +
           std::string(name(spec.datatype)));
  }
  if (!shape_fits(input.shape, spec.shape)) {
    refuse(what + " has shape " + describe(input.shape) + ", the model takes " + describe(spec.shape));
  }
  check_bytes(what, input);
}

void check_classes(const Tensor& targets, std::int64_t classes) {
  if (targets.shape.size() != 1) {
    refuse("the targets have shape " + describe(targets.shape) +
           ", cross_entropy needs one class number for each example");
  }
  const std::span<const std::int64_t> values = targets.integers();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= 0 && values[i] < classes) continue;
    refuse("example " + std::to_string(i) + " has class " + std::to_string(values[i]) +
           ", the model's classes are 0 to " + std::to_string(classes - 1));
  }
}

void check_targets(const Tensor& targets, Loss loss, std::int64_t classes) {
  check_bytes("the tensor of targets", targets.view());
  if (loss == Loss::own) return;
  const Datatype wanted = loss == Loss::cross_entropy ? Datatype::int64 : Datatype::fp32;
  if (targets.datatype != wanted) {
    refuse("the targets are " + std::string(name(targets.datatype)) + ", the loss " +
           std::string(name(loss)) + " needs " + std::string(name(wanted)));
  }
  if (loss == Loss::cross_entropy) check_classes(targets, classes);
}

}  // namespace

std::int64_t check_inputs(std::span<const TensorView> inputs, const TaskContract& contract) {
  if (inputs.size() != contract.inputs.size()) {
    refuse(std::to_string(inputs.size()) + " inputs were given, the model takes " +
           std::to_string(contract.inputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) check_input(inputs[i], contract.inputs[i]);
  const std::int64_t count = inputs.front().shape.front();
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    if (inputs[i].shape.front() == count) continue;
    refuse("input '" + contract.inputs[i].name + "' has " + std::to_string(inputs[i].shape.front()) +
           " examples, input '" + contract.inputs.front().name + "' has " + std::to_string(count));
  }
  return count;
}

void check_examples(const Examples& examples, const TaskContract& contract, std::int64_t classes) {
  std::vector<TensorView> inputs;
  inputs.reserve(examples.inputs.size());
  for (const Tensor& input : examples.inputs) inputs.push_back(input.view());
  const std::int64_t count = check_inputs(inputs, contract);
  if (static_cast<std::size_t>(count) != examples.count()) {
    refuse("there are " + std::to_string(count) + " examples but " + std::to_string(examples.count()) +
           " targets");
  }
  check_targets(examples.targets, contract.loss, classes);
}

}  // namespace fl::libtorch
