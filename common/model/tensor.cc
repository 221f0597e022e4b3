#include "common/model/tensor.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "common/base/error.h"
#include "common/model/names.h"

namespace fl {
namespace {

struct DatatypeRow {
  Datatype datatype;
  std::string_view name;
  std::size_t size;
};

constexpr std::array<DatatypeRow, 9> datatypes{{{Datatype::boolean, "BOOL", 1},
                                                {Datatype::uint8, "UINT8", 1},
                                                {Datatype::int8, "INT8", 1},
                                                {Datatype::int16, "INT16", 2},
                                                {Datatype::int32, "INT32", 4},
                                                {Datatype::int64, "INT64", 8},
                                                {Datatype::fp16, "FP16", 2},
                                                {Datatype::fp32, "FP32", 4},
                                                {Datatype::fp64, "FP64", 8}}};

const DatatypeRow& row(Datatype datatype) {
  for (const DatatypeRow& each : datatypes) {
    if (each.datatype == datatype) return each;
  }
  throw Error(ErrorCode::invalid_data,
              "there is no datatype number " + std::to_string(static_cast<unsigned>(datatype)));
}

template <typename Value>
std::span<const Value> elements(const Tensor& tensor, Datatype expected) {
  if (tensor.datatype != expected) {
    throw Error(ErrorCode::invalid_argument, "the tensor holds " + std::string(name(tensor.datatype)) +
                                                 ", not " + std::string(name(expected)));
  }
  return {reinterpret_cast<const Value*>(tensor.data.data()), tensor.data.size() / sizeof(Value)};
}

template <typename Value>
Tensor make(Datatype datatype, std::span<const Value> values, Shape shape) {
  if (element_count(shape) != values.size()) {
    throw Error(ErrorCode::invalid_argument, "a tensor of shape " + describe(shape) + " has " +
                                                 std::to_string(element_count(shape)) + " elements, " +
                                                 std::to_string(values.size()) + " values were given");
  }
  const ByteView bytes = std::as_bytes(values);
  return {datatype, std::move(shape), Bytes(bytes.begin(), bytes.end())};
}

}  // namespace

std::string_view name(Datatype datatype) {
  return row(datatype).name;
}

std::size_t size_of(Datatype datatype) {
  return row(datatype).size;
}

Datatype datatype_from_name(std::string_view name) {
  std::string known;
  for (const DatatypeRow& each : datatypes) {
    if (each.name == name) return each.datatype;
    known += (known.empty() ? "" : ", ") + std::string(each.name);
  }
  throw Error(ErrorCode::invalid_data,
              "there is no datatype " + in_quotes(name) + ", the known ones are " + known);
}

std::size_t element_count(std::span<const std::int64_t> shape) {
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t dimension) { return dimension < 0; })) {
    throw Error(ErrorCode::invalid_data, "the shape " + describe(shape) + " has a negative dimension");
  }
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) {
    if (count > largest / dimension) {
      throw Error(ErrorCode::invalid_data,
                  "the shape " + describe(shape) + " has more elements than 63 bits count");
    }
    count *= dimension;
  }
  return static_cast<std::size_t>(count);
}

std::string describe(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const std::int64_t dimension : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dimension);
  }
  return text + "]";
}

std::span<const float> Tensor::floats() const {
  return elements<float>(*this, Datatype::fp32);
}

std::span<const std::int64_t> Tensor::integers() const {
  return elements<std::int64_t>(*this, Datatype::int64);
}

Tensor make_tensor(std::span<const float> values, Shape shape) {
  return make(Datatype::fp32, values, std::move(shape));
}

Tensor make_tensor(std::span<const std::int64_t> values, Shape shape) {
  return make(Datatype::int64, values, std::move(shape));
}

}  // namespace fl
