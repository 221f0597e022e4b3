#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fl::libtorch {

/// Cuts examples into batches, in an order of each epoch's own that depends on the seed and the epoch's
/// number alone. The last batch of an epoch may be smaller; were it a single example, it joins the batch
/// before it.
class Batches {
 public:
  Batches(std::size_t examples, std::size_t batch_size, std::uint64_t seed);

  /// Batches in an epoch.
  std::size_t per_epoch() const { return per_epoch_; }
  /// The size of the largest batch.
  std::size_t largest() const;
  /// The indices of the next batch's examples; valid until the next call. Starts a new epoch where the last
  /// one has ended.
  std::span<const std::int64_t> next();
  /// Whether the batch given last was the first one of its epoch.
  bool at_epoch_start() const { return position_ == 1; }

 private:
  void start_epoch();

  std::size_t batch_size_;
  std::size_t per_epoch_;
  std::uint64_t seed_;
  std::uint64_t epoch_ = 0;
  std::size_t position_ = 0;  // batches given of this epoch
  std::vector<std::int64_t> order_;
};

}  // namespace fl::libtorch
