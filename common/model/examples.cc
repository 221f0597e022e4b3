#include "common/model/examples.h"

#include <string>

#include "common/base/error.h"

namespace fl {
namespace {

std::string describe_tensor(const Tensor& tensor) {
  return std::string(name(tensor.datatype)) + " " + describe(tensor.shape);
}

void check_same(const Tensor& expected, const Tensor& tensor, const std::string& what) {
  if (tensor.datatype != expected.datatype || tensor.shape != expected.shape) {
    throw Error(ErrorCode::invalid_data, what + " is " + describe_tensor(tensor) + ", those before it are " +
                                             describe_tensor(expected));
  }
  if (tensor.data.size() / size_of(tensor.datatype) != element_count(tensor.shape) ||
      tensor.data.size() % size_of(tensor.datatype) != 0) {
    throw Error(ErrorCode::invalid_data, what + " has " + std::to_string(tensor.data.size()) +
                                             " bytes, too many or too few for " + describe_tensor(tensor));
  }
}

void check_same(const Example& expected, const Example& example, std::size_t number) {
  const std::string which = "of example " + std::to_string(number);
  if (example.inputs.size() != expected.inputs.size()) {
    throw Error(ErrorCode::invalid_data,
                "the number of inputs " + which + " is " + std::to_string(example.inputs.size()) +
                    ", those before it have " + std::to_string(expected.inputs.size()));
  }
  for (std::size_t i = 0; i < expected.inputs.size(); ++i) {
    check_same(expected.inputs[i], example.inputs[i], "input " + std::to_string(i) + " " + which);
  }
  check_same(expected.target, example.target, "the target " + which);
}

Tensor empty_stack(const Tensor& first, std::size_t count) {
  Tensor stacked{first.datatype, {static_cast<std::int64_t>(count)}, {}};
  stacked.shape.insert(stacked.shape.end(), first.shape.begin(), first.shape.end());
  stacked.data.reserve(count * first.data.size());
  return stacked;
}

void append(Tensor& stacked, const Tensor& tensor) {
  stacked.data.insert(stacked.data.end(), tensor.data.begin(), tensor.data.end());
}

}  // namespace

Examples stack(const std::vector<Example>& examples) {
  Examples stacked;
  if (examples.empty()) return stacked;
  for (std::size_t i = 0; i < examples.size(); ++i) check_same(examples.front(), examples[i], i);
  for (const Tensor& input : examples.front().inputs) {
    stacked.inputs.push_back(empty_stack(input, examples.size()));
  }
  stacked.targets = empty_stack(examples.front().target, examples.size());
  for (const Example& example : examples) {
    for (std::size_t i = 0; i < stacked.inputs.size(); ++i) append(stacked.inputs[i], example.inputs[i]);
    append(stacked.targets, example.target);
  }
  return stacked;
}

}  // namespace fl
