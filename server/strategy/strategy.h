#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/model/layout.h"
#include "common/model/plan.h"
#include "server/strategy/aggregation_rule.h"
#include "server/strategy/exact_fold.h"

namespace fl::server {

/// The most vectors that a strategy carries from version to version.
inline constexpr std::size_t most_state_vectors = 2;

/// A range of the model's elements, all of one role, on their way to the next version. The spans have the
/// same length.
struct ElementRange {
  std::span<const float> base;  ///< Of the version that the round started from.
  std::span<const double> sum;  ///< Of the weighted deltas; of trained elements under a rule, Δ_t itself.
  double total_weight = 0.0;    ///< sum / total_weight is the mean delta, or Δ_t; 1 under a rule.
  /// What the strategy carries: as the version before left it, to be left as the next version needs it. Of
  /// state_vectors() the first are there.
  std::array<std::span<float>, most_state_vectors> state;
  std::span<float> next;  ///< To be written.
  /// Of the changes of the devices' control variates; there where the strategy has them.
  std::span<const double> control_sum = {};
};

/// How updates become the next model, element by element. Pure; the result depends on its arguments alone,
/// to the bit. Immutable, so that any thread may use it. docs/strategies.md has a page of each.
class Strategy {
 public:
  virtual ~Strategy() = default;

  /// What an update of so many examples counts for in the fold.
  virtual std::uint32_t weight(std::uint32_t examples) const = 0;
  /// The same, and never more, where the version it was trained from is so many behind the newest.
  virtual std::uint32_t stale_weight(std::uint32_t examples, std::uint64_t /*staleness*/) const {
    return weight(examples);
  }

  /// How Δ_t follows from the updates where it is not their mean; null where it is. The strategy's own, as
  /// long as it lives.
  virtual const AggregationRule* rule() const { return nullptr; }

  /// Whether an update's delta is followed by the change of its device's control variate, as long as the
  /// trained part; the state's only vector is then the server's own, which devices train by.
  virtual bool has_controls() const { return false; }

  /// How many vectors, each as long as the trained part of the model, go with a version into the next round.
  virtual std::size_t state_vectors() const { return 0; }
  /// What every element of such a vector is before the first round.
  virtual float initial_state(std::size_t /*vector*/) const { return 0.0F; }

  /// Moves trained elements. Buffers are not its to move: they are plainly averaged, whatever the strategy,
  /// see next_elements().
  virtual void step(const ElementRange& range) const = 0;
};

/// Writes the elements of the next version from `first` on, those before `trained` as the strategy moves them
/// and those after, buffers, to the mean of the updates. At least one update was folded. The state's spans
/// are as long as the part of the range that is trained.
void next_elements(const Strategy& strategy, std::size_t trained, std::size_t first,
                   const ElementRange& range);

/// The strategy that a plan names, with the settings it gives. Throws Error(invalid_argument): an unknown
/// name, with those that there are; a setting that the strategy has no use for, by name; what it needs of the
/// devices' training and the plan does not say.
std::unique_ptr<Strategy> make_strategy(const Plan& plan);

}  // namespace fl::server
