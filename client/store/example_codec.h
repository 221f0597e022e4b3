#pragma once

#include <span>
#include <vector>

#include "common/base/bytes.h"
#include "common/model/examples.h"
#include "common/model/tensor.h"

namespace fl::client {

/// Tensors as they lie in the example store: for each a byte of datatype, a byte of rank, the dimensions as
/// 64-bit little-endian numbers, then the elements. The same tensors give the same bytes on every device.
Bytes encode(std::span<const Tensor> tensors);

/// The inverse. Throws Error(invalid_data) where the bytes are cut off or no tensors.
std::vector<Tensor> decode(ByteView bytes);

/// Stacks examples one by one as they come from the store, without a second copy of them all.
class ExampleStacker {
 public:
  /// `expected` examples will come; only a hint for the memory to set aside.
  explicit ExampleStacker(std::size_t expected) : expected_(expected) {}

  /// Throws Error(invalid_data) where the example's tensors are not shaped like those before it.
  void add(const Example& example);
  /// What was added. The stacker is empty afterwards.
  Examples take();

 private:
  void begin(const Example& first);

  std::size_t expected_;
  std::size_t count_ = 0;
  Examples examples_;
};

}  // namespace fl::client
