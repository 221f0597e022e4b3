#include "client/store/example_codec.h"

#include <cstring>
#include <string>
#include <utility>

#include "common/base/error.h"

namespace fl::client {
namespace {

constexpr auto last_datatype = static_cast<std::uint8_t>(Datatype::fp64);

void append(Bytes& bytes, const void* data, std::size_t count) {
  const auto* begin = static_cast<const std::byte*>(data);
  bytes.insert(bytes.end(), begin, begin + count);
}

/// Takes fields from the front of bytes that may be damaged.
class Fields {
 public:
  explicit Fields(ByteView bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }

  ByteView take(std::size_t count) {
    if (count > bytes_.size()) throw Error(ErrorCode::invalid_data, "a stored example is cut off");
    const ByteView taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }

  template <typename Number>
  Number number() {
    Number value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

 private:
  ByteView bytes_;
};

Tensor decode_one(Fields& fields) {
  Tensor tensor;
  const auto datatype = fields.number<std::uint8_t>();
  if (datatype > last_datatype) {
    throw Error(ErrorCode::invalid_data,
                "a stored example has the unknown datatype " + std::to_string(datatype));
  }
  tensor.datatype = static_cast<Datatype>(datatype);
  tensor.shape.resize(fields.number<std::uint8_t>());
  for (std::int64_t& dimension : tensor.shape) dimension = fields.number<std::int64_t>();
  const std::size_t elements = element_count(tensor.shape);
  if (elements > (std::size_t{1} << 40U)) throw Error(ErrorCode::invalid_data, "a stored example is cut off");
  const ByteView data = fields.take(elements * size_of(tensor.datatype));
  tensor.data.assign(data.begin(), data.end());
  return tensor;
}

Tensor empty_stack(const Tensor& one, std::size_t expected) {
  Tensor stack{one.datatype, {0}, {}};
  stack.shape.insert(stack.shape.end(), one.shape.begin(), one.shape.end());
  stack.data.reserve(one.data.size() * expected);
  return stack;
}

void stack_onto(Tensor& stack, const Tensor& one) {
  const std::span<const std::int64_t> shape(stack.shape);
  if (one.datatype != stack.datatype || one.shape != Shape(shape.begin() + 1, shape.end())) {
    throw Error(ErrorCode::invalid_data, "the task's examples do not fit each other: one has " +
                                             std::string(name(one.datatype)) + " " + describe(one.shape) +
                                             ", those before it " + std::string(name(stack.datatype)) + " " +
                                             describe(shape.subspan(1)));
  }
  stack.data.insert(stack.data.end(), one.data.begin(), one.data.end());
  ++stack.shape.front();
}

}  // namespace

Bytes encode(std::span<const Tensor> tensors) {
  Bytes bytes;
  for (const Tensor& tensor : tensors) {
    if (tensor.shape.size() > 255)
      throw Error(ErrorCode::invalid_argument, "a tensor has over 255 dimensions");
    bytes.push_back(static_cast<std::byte>(tensor.datatype));
    bytes.push_back(static_cast<std::byte>(tensor.shape.size()));
    append(bytes, tensor.shape.data(), tensor.shape.size() * sizeof(std::int64_t));
    append(bytes, tensor.data.data(), tensor.data.size());
  }
  return bytes;
}

std::vector<Tensor> decode(ByteView bytes) {
  std::vector<Tensor> tensors;
  for (Fields fields(bytes); !fields.empty();) tensors.push_back(decode_one(fields));
  return tensors;
}

void ExampleStacker::begin(const Example& first) {
  for (const Tensor& input : first.inputs) examples_.inputs.push_back(empty_stack(input, expected_));
  examples_.targets = empty_stack(first.target, expected_);
}

void ExampleStacker::add(const Example& example) {
  if (count_ == 0) begin(example);
  if (example.inputs.size() != examples_.inputs.size()) {
    throw Error(ErrorCode::invalid_data, "the task's examples do not fit each other: one has " +
                                             std::to_string(example.inputs.size()) +
                                             " inputs, those before it " +
                                             std::to_string(examples_.inputs.size()));
  }
  for (std::size_t i = 0; i < example.inputs.size(); ++i) stack_onto(examples_.inputs[i], example.inputs[i]);
  stack_onto(examples_.targets, example.target);
  ++count_;
}

Examples ExampleStacker::take() {
  count_ = 0;
  return std::exchange(examples_, Examples());
}

}  // namespace fl::client
