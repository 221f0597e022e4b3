#pragma once

#include <optional>
#include <span>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

#include "common/model/tensor.h"

namespace fl::libtorch {

inline at::ScalarType scalar_type(Datatype datatype) {
  switch (datatype) {
    case Datatype::boolean:
      return at::kBool;
    case Datatype::uint8:
      return at::kByte;
    case Datatype::int8:
      return at::kChar;
    case Datatype::int16:
      return at::kShort;
    case Datatype::int32:
      return at::kInt;
    case Datatype::int64:
      return at::kLong;
    case Datatype::fp16:
      return at::kHalf;
    case Datatype::fp32:
      return at::kFloat;
    case Datatype::fp64:
      return at::kDouble;
  }
  return at::kFloat;
}

/// The floating types a flat vector can take over, which are those that a Datatype names.
inline std::optional<Datatype> floating_datatype(at::ScalarType type) {
  if (type == at::kFloat) return Datatype::fp32;
  if (type == at::kHalf) return Datatype::fp16;
  if (type == at::kDouble) return Datatype::fp64;
  return std::nullopt;
}

inline bool is_floating(Datatype datatype) {
  return datatype == Datatype::fp16 || datatype == Datatype::fp32 || datatype == Datatype::fp64;
}

/// A shape as libtorch takes it; valid as long as what it points to.
inline at::IntArrayRef sizes(std::span<const std::int64_t> shape) {
  return {shape.data(), shape.size()};
}
inline std::span<const std::int64_t> shape(const at::Tensor& tensor) {
  return {tensor.sizes().data(), tensor.sizes().size()};
}

/// libtorch works on the calling thread alone: results do not depend on the number of cores, several
/// trainers in a process or on a machine do not fight for them, and no idle OpenMP thread spins.
inline void use_one_thread() {
  thread_local const bool done = [] {
    at::set_num_threads(1);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace fl::libtorch
