#include "common/engine/torch/feed.h"

#include <cstring>

#include <ATen/Functions.h>

#include "common/engine/torch/types.h"

namespace fl::libtorch {
namespace {

/// A tensor over somebody else's bytes, which nothing writes to.
at::Tensor over(const TensorView& tensor) {
  auto* data = const_cast<std::byte*>(tensor.data.data());
  return at::from_blob(data, sizes(tensor.shape), scalar_type(tensor.datatype));
}

bool needs_conversion(Datatype datatype) {
  return is_floating(datatype) && datatype != Datatype::fp32;
}

}  // namespace

at::Tensor copy_in(const TensorView& tensor) {
  at::Tensor copy = at::empty(sizes(tensor.shape), scalar_type(tensor.datatype));
  // By bytes, because the other side's need not be aligned.
  std::memcpy(copy.data_ptr(), tensor.data.data(), tensor.data.size());
  return needs_conversion(tensor.datatype) ? copy.to(at::kFloat) : copy;
}

Tensor copy_out(const at::Tensor& tensor) {
  const at::Tensor values = tensor.detach().to(at::kFloat).contiguous();
  return make_tensor(
      std::span<const float>(values.data_ptr<float>(), static_cast<std::size_t>(values.numel())),
      values.sizes().vec());
}

Feed::Feed(const Examples& examples, std::size_t largest_batch) {
  for (const Tensor& input : examples.inputs) columns_.push_back(column(input, largest_batch));
  columns_.push_back(column(examples.targets, largest_batch));
}

Feed::Column Feed::column(const Tensor& tensor, std::size_t largest_batch) {
  Column result;
  result.source =
      needs_conversion(tensor.datatype) ? over(tensor.view()).to(at::kFloat) : over(tensor.view());
  std::vector<std::int64_t> shape = tensor.shape;
  shape.front() = static_cast<std::int64_t>(largest_batch);
  result.buffer = at::empty(shape, result.source.options());
  result.batch = result.buffer;
  result.row_bytes = result.source.nbytes() / static_cast<std::size_t>(result.source.size(0));
  return result;
}

void Feed::load(std::span<const std::int64_t> numbers) {
  for (Column& each : columns_) gather(each, numbers);
}

void Feed::gather(Column& column, std::span<const std::int64_t> numbers) {
  const auto* source = static_cast<const std::byte*>(column.source.data_ptr());
  auto* target = static_cast<std::byte*>(column.buffer.data_ptr());
  for (const std::int64_t number : numbers) {
    std::memcpy(target, source + static_cast<std::size_t>(number) * column.row_bytes, column.row_bytes);
    target += column.row_bytes;
  }
  const auto count = static_cast<std::int64_t>(numbers.size());
  if (column.batch.size(0) != count) column.batch = column.buffer.narrow(0, 0, count);
}

std::vector<c10::IValue> Feed::inputs() const {
  std::vector<c10::IValue> result;
  result.reserve(columns_.size());
  for (std::size_t i = 0; i + 1 < columns_.size(); ++i) result.emplace_back(columns_[i].batch);
  return result;
}

}  // namespace fl::libtorch
