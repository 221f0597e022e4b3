#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"

namespace fl {

/// Element types, with the names and sizes of the Open Inference Protocol ("FP32", 4 bytes; "INT64", 8; …).
enum class Datatype : std::uint8_t { boolean, uint8, int8, int16, int32, int64, fp16, fp32, fp64 };

std::string_view name(Datatype datatype);
/// Bytes of one element.
std::size_t size_of(Datatype datatype);
/// The inverse of name(). Throws Error(invalid_data) naming the known ones.
Datatype datatype_from_name(std::string_view name);

using Shape = std::vector<std::int64_t>;

/// The product of the dimensions; 1 for a scalar. Throws Error(invalid_data) if a dimension is negative or
/// the product does not fit 63 bits.
std::size_t element_count(std::span<const std::int64_t> shape);
/// "[32, 6, 50]"
std::string describe(std::span<const std::int64_t> shape);

/// What a model takes or gives under one name. The first dimension is the batch and is -1; further
/// dimensions may be -1 where the model takes any size.
struct TensorSpec {
  std::string name;
  Datatype datatype = Datatype::fp32;
  Shape shape;
};

/// Somebody else's tensor: row-major, contiguous, little-endian. Valid as long as what it points to.
struct TensorView {
  Datatype datatype = Datatype::fp32;
  std::span<const std::int64_t> shape;
  ByteView data;
};

/// A tensor that owns its bytes: row-major, contiguous, little-endian.
struct Tensor {
  Datatype datatype = Datatype::fp32;
  Shape shape;
  Bytes data;

  TensorView view() const { return {datatype, shape, data}; }
  /// The elements. Throws Error(invalid_argument) if the tensor holds another type.
  std::span<const float> floats() const;
  std::span<const std::int64_t> integers() const;
};

/// Copies values into a tensor; `shape` must have as many elements as there are values.
Tensor make_tensor(std::span<const float> values, Shape shape);
Tensor make_tensor(std::span<const std::int64_t> values, Shape shape);

}  // namespace fl
