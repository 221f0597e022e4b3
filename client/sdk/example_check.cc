#include "client/sdk/example_check.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "common/base/error.h"
#include "common/data/targets.h"

namespace fl::client {
namespace {

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_argument, sentence);
}

std::span<const std::int64_t> without_batch(const Shape& shape) {
  return std::span(shape).subspan(1);
}

bool fits(std::span<const std::int64_t> shape, std::span<const std::int64_t> allowed) {
  return std::equal(
      shape.begin(), shape.end(), allowed.begin(), allowed.end(),
      [](std::int64_t is, std::int64_t should) { return is == should || (should == -1 && is > 0); });
}

/// The bits of an IEEE 754 number's exponent, which are all set in NaN and the infinities; 0 for other types.
std::uint64_t exponent_bits(Datatype datatype) {
  switch (datatype) {
    case Datatype::fp16:
      return 0x7C00;
    case Datatype::fp32:
      return 0x7F80'0000;
    case Datatype::fp64:
      return 0x7FF0'0000'0000'0000;
    default:
      return 0;
  }
}

void require_finite(const Tensor& tensor, const std::string& what) {
  const std::uint64_t exponent = exponent_bits(tensor.datatype);
  const std::size_t each = size_of(tensor.datatype);
  for (std::size_t at = 0; exponent != 0 && at < tensor.data.size(); at += each) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, tensor.data.data() + at, each);
    if ((bits & exponent) == exponent) {
      refuse(what + "'s value " + std::to_string(at / each) + " is NaN or infinite");
    }
  }
}

void require_whole(const Tensor& tensor, const std::string& what) {
  if (tensor.data.size() != element_count(tensor.shape) * size_of(tensor.datatype)) {
    refuse(what + " has " + std::to_string(tensor.data.size()) + " bytes, which is not what its shape " +
           describe(tensor.shape) + " takes");
  }
}

void require_input(const TensorSpec& spec, const Tensor& input) {
  const std::string what = "the input " + spec.name;
  if (input.datatype != spec.datatype || !fits(input.shape, without_batch(spec.shape))) {
    refuse(what + " is " + std::string(name(input.datatype)) + " " + describe(input.shape) +
           ", the task takes " + std::string(name(spec.datatype)) + " " +
           describe(without_batch(spec.shape)));
  }
  require_whole(input, what);
  require_finite(input, what);
}

void require_class(const TaskContract& contract, const Tensor& target) {
  const auto classes = static_cast<std::int64_t>(contract.labels.size());
  if (target.datatype != Datatype::int64) refuse("the target must be INT64, the number of a class");
  for (const std::int64_t number : target.integers()) {
    if (number < 0 || number >= classes) {
      refuse("the target " + std::to_string(number) + " is no class, they are 0 to " +
             std::to_string(classes - 1));
    }
  }
}

void require_target(const TaskContract& contract, const Tensor& target) {
  require_whole(target, "the target");
  require_finite(target, "the target");
  if (contract.loss == Loss::own) return;
  const std::span<const std::int64_t> output = without_batch(contract.outputs.front().shape);
  if (contract.loss == Loss::cross_entropy) require_class(contract, target);
  if (contract.loss != Loss::cross_entropy && target.datatype != Datatype::fp32)
    refuse("the target must be FP32");
  const auto expected = contract.loss == Loss::cross_entropy ? output.first(output.size() - 1) : output;
  if (!fits(target.shape, expected)) {
    refuse("the target's shape is " + describe(target.shape) + ", the task takes " + describe(expected));
  }
}

std::string joined(const std::vector<std::string>& labels) {
  std::string text;
  for (const std::string& label : labels) text += (text.empty() ? "" : ", ") + label;
  return text;
}

/// The values as the contract's single input, without the batch dimension.
Tensor shaped(const TaskContract& contract, std::span<const float> values) {
  if (contract.inputs.size() != 1 || contract.inputs.front().datatype != Datatype::fp32) {
    refuse("the task does not take a single FP32 input; give one tensor for each of its inputs");
  }
  const TensorSpec& spec = contract.inputs.front();
  const std::span<const std::int64_t> shape = without_batch(spec.shape);
  if (std::find(shape.begin(), shape.end(), -1) != shape.end()) {
    refuse("the input " + spec.name + " may have any size in " + describe(shape) + "; give it as a tensor");
  }
  if (values.size() != element_count(shape)) {
    refuse("the input " + spec.name + " has " + std::to_string(values.size()) + " values, the task takes " +
           std::to_string(element_count(shape)) + " in the shape " + describe(shape));
  }
  return make_tensor(values, Shape(shape.begin(), shape.end()));
}

}  // namespace

Example labelled_example(const TaskContract& contract, std::span<const float> input, std::string_view label) {
  const auto found = std::find(contract.labels.begin(), contract.labels.end(), label);
  if (contract.labels.empty()) refuse("the task has no labels; give the target's value");
  if (found == contract.labels.end()) {
    refuse("'" + std::string(label) + "' is no label of the task, they are " + joined(contract.labels));
  }
  const auto number = static_cast<double>(found - contract.labels.begin());
  return {{shaped(contract, input)}, TargetCodec(contract).tensor(number)};
}

Example valued_example(const TaskContract& contract, std::span<const float> input, float value) {
  if (!contract.labels.empty()) refuse("the task has labels; give one of " + joined(contract.labels));
  const TargetCodec codec(contract);
  if (codec.classes() > 0 && value != 0.0F && value != 1.0F) {
    refuse("the target is " + std::to_string(value) + ", the task takes 0 or 1");
  }
  return {{shaped(contract, input)}, codec.tensor(static_cast<double>(value))};
}

Tensor single_input(const TaskContract& contract, std::span<const float> values) {
  Tensor input = shaped(contract, values);
  require_finite(input, "the input " + contract.inputs.front().name);
  input.shape.insert(input.shape.begin(), 1);
  return input;
}

void require_fitting(const TaskContract& contract, const Example& example) {
  if (example.inputs.size() != contract.inputs.size()) {
    refuse("the example has " + std::to_string(example.inputs.size()) + " inputs, the task takes " +
           std::to_string(contract.inputs.size()));
  }
  for (std::size_t i = 0; i < example.inputs.size(); ++i)
    require_input(contract.inputs[i], example.inputs[i]);
  require_target(contract, example.target);
}

}  // namespace fl::client
