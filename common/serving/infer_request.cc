#include "common/serving/infer_request.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "common/base/error.h"
#include "common/model/names.h"
#include "common/serving/json_request.h"

namespace fl::serving {
namespace {

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_argument, sentence);
}

[[noreturn]] void refuse_size(const std::string& sentence) {
  throw Error(ErrorCode::resource_exhausted, sentence);
}

std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + in_quotes(name);
  return list;
}

/// The raw tensors behind the JSON, taken in order.
class RawTensors {
 public:
  explicit RawTensors(ByteView bytes) : left_(bytes) {}

  ByteView take(std::uint64_t count, const std::string& input) {
    if (count > left_.size()) {
      refuse("input " + in_quotes(input) + " says that " + std::to_string(count) +
             " bytes follow the JSON, " + std::to_string(left_.size()) + " are left");
    }
    const ByteView taken = left_.first(static_cast<std::size_t>(count));
    left_ = left_.subspan(taken.size());
    return taken;
  }

  void finish() const {
    if (left_.empty()) return;
    refuse(std::to_string(left_.size()) + " bytes follow the JSON that belong to no input");
  }

 private:
  ByteView left_;
};

void check_shape(const JsonInput& input, const TensorSpec& spec) {
  const Shape& shape = *input.shape;
  bool fits = shape.size() == spec.shape.size() && !shape.empty() && shape.front() > 0;
  for (std::size_t i = 1; fits && i < shape.size(); ++i)
    fits = shape[i] > 0 && (spec.shape[i] < 0 || shape[i] == spec.shape[i]);
  if (!fits) {
    refuse("input " + in_quotes(input.name) + " has the shape " + describe(shape) + ", the model takes " +
           describe(spec.shape) + ", -1 being any size from 1");
  }
}

void check_batch(const JsonInput& input, std::int64_t most) {
  const std::int64_t batch = input.shape->front();
  if (batch <= most) return;
  refuse_size("input " + in_quotes(input.name) + " is a batch of " + std::to_string(batch) + ", " +
              std::to_string(most) + " at most are taken");
}

/// Numbers stand in one array, or in arrays as the shape has them.
void check_nesting(const JsonInput& input, std::size_t elements) {
  if (input.count != elements) {
    refuse("input " + in_quotes(input.name) + " has " + std::to_string(input.count) + " values, its shape " +
           describe(*input.shape) + " has " + std::to_string(elements));
  }
  if (input.nested.size() > 1 && input.nested != *input.shape) {
    refuse("the arrays of input " + in_quotes(input.name) + " are nested as " + describe(input.nested) +
           ", its shape is " + describe(*input.shape));
  }
}

template <typename Value>
void require_finite_values(const Tensor& tensor, const std::string& name) {
  const std::span values(reinterpret_cast<const Value*>(tensor.data.data()),
                         tensor.data.size() / sizeof(Value));
  const auto wrong =
      std::find_if(values.begin(), values.end(), [](Value value) { return !std::isfinite(value); });
  if (wrong == values.end()) return;
  refuse("value " + std::to_string(wrong - values.begin()) + " of input " + in_quotes(name) +
         " is NaN or infinite");
}

/// NaN and infinities are what has all bits of the exponent set.
void require_finite_halves(const Tensor& tensor, const std::string& name) {
  constexpr unsigned exponent = 0x7C;
  for (std::size_t high = 1; high < tensor.data.size(); high += 2) {
    if ((std::to_integer<unsigned>(tensor.data[high]) & exponent) != exponent) continue;
    refuse("value " + std::to_string(high / 2) + " of input " + in_quotes(name) + " is NaN or infinite");
  }
}

void require_finite(const Tensor& tensor, const std::string& name) {
  if (tensor.datatype == Datatype::fp32) require_finite_values<float>(tensor, name);
  if (tensor.datatype == Datatype::fp64) require_finite_values<double>(tensor, name);
  if (tensor.datatype == Datatype::fp16) require_finite_halves(tensor, name);
  if (tensor.datatype == Datatype::boolean &&
      std::any_of(tensor.data.begin(), tensor.data.end(),
                  [](std::byte value) { return value > std::byte{1}; })) {
    refuse("input " + in_quotes(name) + " is BOOL and has bytes other than 0 and 1");
  }
}

std::size_t elements_of(const JsonInput& input) {
  try {
    return element_count(*input.shape);
  } catch (const Error& error) {
    refuse("input " + in_quotes(input.name) + ": " + error.what());
  }
}

/// How many elements an input has whose description fits the model and itself.
std::size_t checked_elements(const JsonInput& input, const TensorSpec& spec, const RequestLimits& limits) {
  if (!input.datatype) refuse("input " + in_quotes(input.name) + " has no 'datatype'");
  if (*input.datatype != spec.datatype) {
    refuse("input " + in_quotes(input.name) + " is " + std::string(name(*input.datatype)) +
           ", the model takes " + std::string(name(spec.datatype)));
  }
  if (!input.shape) refuse("input " + in_quotes(input.name) + " has no 'shape'");
  check_shape(input, spec);
  const std::size_t elements = elements_of(input);
  if (input.binary_size.has_value() == input.has_data) {
    refuse("input " + in_quotes(input.name) +
           (input.has_data ? " has both 'data' and 'binary_data_size'"
                           : " has neither 'data' nor 'binary_data_size'"));
  }
  if (input.has_data) {
    check_nesting(input, elements);
  } else if (*input.binary_size % size_of(spec.datatype) != 0 ||
             *input.binary_size / size_of(spec.datatype) != elements) {
    refuse("input " + in_quotes(input.name) + " says it has " + std::to_string(*input.binary_size) +
           " bytes, its shape " + describe(*input.shape) + " has " + std::to_string(elements) + " of " +
           std::to_string(size_of(spec.datatype)) + " bytes each");
  }
  check_batch(input, limits.batch);
  if (input.overflows)
    refuse_size("input " + in_quotes(input.name) + " has more values than a request may have");
  return elements;
}

Tensor tensor_of(JsonInput& input, const TensorSpec& spec, RawTensors& raw, const RequestLimits& limits) {
  const std::size_t elements = checked_elements(input, spec, limits);
  Tensor tensor{spec.datatype, std::move(*input.shape), {}};
  if (input.has_data) {
    tensor.data = std::move(input.data);
    if (tensor.data.size() != elements * size_of(spec.datatype))
      refuse("the values of input " + in_quotes(input.name) + " are not of its datatype");
  } else {
    const ByteView taken = raw.take(*input.binary_size, input.name);
    tensor.data.assign(taken.begin(), taken.end());
  }
  require_finite(tensor, input.name);
  return tensor;
}

/// What the values of a request can take at most, as far as the contract says.
std::size_t most_data(const TaskContract& contract, const RequestLimits& limits) {
  std::size_t bytes = 0;
  for (const TensorSpec& spec : contract.inputs) {
    std::size_t one = size_of(spec.datatype);
    for (std::size_t i = 1; i < spec.shape.size(); ++i) {
      if (spec.shape[i] < 0) return limits.body_bytes;
      one *= static_cast<std::size_t>(spec.shape[i]);
      if (one > limits.body_bytes) return limits.body_bytes;
    }
    bytes += one * static_cast<std::size_t>(limits.batch);
  }
  return std::min(bytes, limits.body_bytes);
}

std::vector<Tensor> inputs_of(std::vector<JsonInput>& given, const TaskContract& contract, ByteView behind,
                              const RequestLimits& limits) {
  RawTensors raw(behind);
  std::vector<std::optional<Tensor>> found(contract.inputs.size());
  for (JsonInput& input : given) {
    const auto spec = std::find_if(contract.inputs.begin(), contract.inputs.end(),
                                   [&](const TensorSpec& each) { return each.name == input.name; });
    if (spec == contract.inputs.end()) {
      std::vector<std::string> names;
      for (const TensorSpec& each : contract.inputs) names.push_back(each.name);
      refuse("there is no input " + in_quotes(input.name) + "; the model takes " + listed(names));
    }
    std::optional<Tensor>& place = found[static_cast<std::size_t>(spec - contract.inputs.begin())];
    if (place) refuse("input " + in_quotes(input.name) + " stands there twice");
    place = tensor_of(input, *spec, raw, limits);
  }
  raw.finish();
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i]) refuse("input " + in_quotes(contract.inputs[i].name) + " is missing");
    inputs.push_back(std::move(*found[i]));
    if (inputs[i].shape.front() != inputs[0].shape.front())
      refuse("the inputs are batches of different sizes");
  }
  return inputs;
}

std::vector<RequestedOutput> outputs_of(const JsonRequest& request, const std::vector<std::string>& names) {
  std::vector<RequestedOutput> outputs;
  for (const JsonOutput& output : request.outputs) {
    const auto name = std::find(names.begin(), names.end(), output.name);
    if (name == names.end())
      refuse("there is no output " + in_quotes(output.name) + "; the model gives " + listed(names));
    const auto index = static_cast<std::size_t>(name - names.begin());
    const bool again = std::any_of(outputs.begin(), outputs.end(),
                                   [&](const RequestedOutput& each) { return each.index == index; });
    if (again) refuse("output " + in_quotes(output.name) + " is asked for twice");
    outputs.push_back({index, output.binary.value_or(request.binary_outputs)});
  }
  for (std::size_t i = 0; request.outputs.empty() && i < names.size(); ++i)
    outputs.push_back({i, request.binary_outputs});
  return outputs;
}

}  // namespace

InferRequest decode_request(ByteView body, std::optional<std::size_t> json_length,
                            const TaskContract& contract, const std::vector<std::string>& outputs,
                            const RequestLimits& limits) {
  if (body.size() > limits.body_bytes) {
    refuse_size("the body has " + std::to_string(body.size()) + " bytes, " +
                std::to_string(limits.body_bytes) + " at most are taken");
  }
  const std::size_t length = json_length.value_or(body.size());
  if (length > body.size()) {
    refuse("Inference-Header-Content-Length says " + std::to_string(length) + ", the body has " +
           std::to_string(body.size()) + " bytes");
  }
  if (length > limits.json_bytes) {
    refuse_size("the JSON has " + std::to_string(length) + " bytes, " + std::to_string(limits.json_bytes) +
                " at most are taken; send large tensors in binary");
  }
  JsonRequest json = read_json_request(as_text(body.first(length)), most_data(contract, limits));
  InferRequest request;
  request.outputs = outputs_of(json, outputs);
  request.inputs = inputs_of(json.inputs, contract, body.subspan(length), limits);
  request.id = std::move(json.id);
  constexpr std::uint64_t most_microseconds = std::uint64_t{3600} * 1'000'000;
  // For the protocol's best-known server 0 means no timeout, and its client sends that.
  if (json.timeout.value_or(0) > 0) request.timeout.emplace(std::min(*json.timeout, most_microseconds));
  return request;
}

}  // namespace fl::serving
