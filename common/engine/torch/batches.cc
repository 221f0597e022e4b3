#include "common/engine/torch/batches.h"

#include <algorithm>
#include <numeric>

#include "common/base/random.h"

namespace fl::libtorch {
namespace {

std::size_t count_batches(std::size_t examples, std::size_t batch_size) {
  const std::size_t full = examples / batch_size;
  const std::size_t rest = examples % batch_size;
  const bool joins = rest == 1 && full > 0;
  return full + (rest > 0 && !joins ? 1 : 0);
}

}  // namespace

Batches::Batches(std::size_t examples, std::size_t batch_size, std::uint64_t seed)
    : batch_size_(batch_size),
      per_epoch_(count_batches(examples, batch_size)),
      seed_(seed),
      order_(examples) {}

std::size_t Batches::largest() const {
  return std::min(order_.size(), batch_size_ + 1);
}

std::span<const std::int64_t> Batches::next() {
  if (epoch_ == 0 || position_ == per_epoch_) start_epoch();
  const std::size_t begin = position_ * batch_size_;
  ++position_;
  const std::size_t end = position_ == per_epoch_ ? order_.size() : begin + batch_size_;
  return std::span<const std::int64_t>(order_).subspan(begin, end - begin);
}

void Batches::start_epoch() {
  ++epoch_;
  position_ = 0;
  std::iota(order_.begin(), order_.end(), 0);
  Random random(derive_seed(seed_, epoch_));
  random.shuffle(order_);
}

}  // namespace fl::libtorch
