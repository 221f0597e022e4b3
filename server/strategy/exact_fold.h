#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/model/plan.h"
#include "server/strategy/fold_pass.h"
#include "server/strategy/zeros.h"

namespace fl::server {

/// The quantum q of a round: the smallest power of two for which `updates` weighted deltas, each at most
/// max_weight · max_delta in magnitude and rounded to a multiple of q, sum below 2^53·q, where addition in
/// double is exact. Recorded with the round.
double fold_quantum(std::uint32_t updates, std::uint32_t max_weight, double max_delta);

/// How finely the mean is resolved, at worst: half a round's quantum for a mean weight of one example; the
/// bound of deltas counts as the float that devices are told. A plan coarser
/// than `coarsest_resolution` is refused when its task is added.
double mean_resolution(const RoundPlan& plan);
inline constexpr double coarsest_resolution = 0x1p-28;

/// The sum of weighted deltas, exact and so free of order (I4): every weight · delta is rounded to a multiple
/// of q by adding and subtracting 1.5·2^52·q, and multiples of q are added in double without rounding. One
/// thread at a time for one range of elements; different ranges may be added to by different threads.
///
/// Holds 8 bytes per element, however many updates are added (I5).
class ExactFold {
 public:
  /// `quantum` as fold_quantum() gives it for elements of at most `max_delta`, which is not NaN.
  ExactFold(std::size_t elements, double quantum, float max_delta)
      : sum_(elements), quantum_(quantum), max_delta_(max_delta) {}

  std::size_t size() const { return sum_.size(); }
  float max_delta() const { return max_delta_; }

  /// Adds weight · delta of each update to the `count` elements from `first` on, which must be there. The sum
  /// is read and written once for up to `widest_pass` updates, and reading it is what takes the time: so the
  /// more updates in a call the better. A weight is at most 2^29, for which weight · delta is exact in
  /// double; it counts separately, by add_weight().
  ///
  /// False where an element of a delta is NaN, infinite or beyond max_delta(): the fold is then worthless.
  [[nodiscard]] bool add(std::size_t first, std::size_t count, std::span<const WeightedDelta> updates);
  /// Once per update: its weight in the mean.
  void add_weight(std::uint32_t weight) { total_weight_ += weight; }

  std::uint64_t total_weight() const { return total_weight_; }
  /// The exact sum of the rounded weighted deltas.
  std::span<const double> sum() const { return sum_.values(); }

 private:
  Zeros sum_;
  double quantum_;
  float max_delta_;
  std::uint64_t total_weight_ = 0;
};

}  // namespace fl::server
