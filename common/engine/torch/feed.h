#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include "common/model/examples.h"

namespace fl::libtorch {

/// A tensor of libtorch's own with the values of somebody else's; floating values become fp32.
at::Tensor copy_in(const TensorView& tensor);
/// The values as fp32, row-major.
Tensor copy_out(const at::Tensor& tensor);

/// Gathers examples into batches, in buffers that are allocated once. The examples must have been checked
/// against the contract and outlive the feed.
class Feed {
 public:
  Feed(const Examples& examples, std::size_t largest_batch);

  /// Puts the examples of these numbers into the batch, in this order.
  void load(std::span<const std::int64_t> numbers);

  /// The batch, valid until the next load.
  std::vector<c10::IValue> inputs() const;
  const at::Tensor& target() const { return columns_.back().batch; }

 private:
  struct Column {
    at::Tensor source;  // all examples
    at::Tensor buffer;  // of the largest batch
    at::Tensor batch;   // the part of the buffer in use
    std::size_t row_bytes = 0;
  };

  static Column column(const Tensor& tensor, std::size_t largest_batch);
  static void gather(Column& column, std::span<const std::int64_t> numbers);

  std::vector<Column> columns_;  // the inputs, then the target
};

}  // namespace fl::libtorch
