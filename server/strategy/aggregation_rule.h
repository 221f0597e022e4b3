#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "server/strategy/exact_totals.h"

namespace fl::server {

/// What a device says of its update besides the delta.
struct UpdateFacts {
  std::uint32_t examples = 0;  ///< Trained on.
  std::uint64_t steps = 0;     ///< Of training.
  std::uint32_t test_examples = 0;
  double test_loss = 0.0;  ///< Of the version trained from, on the examples held out; where there are any.
};

/// A round whose updates are complete. They are in an order that depends on their set alone: by device.
struct RoundFacts {
  std::span<const UpdateFacts> updates;
  std::size_t elements = 0;  ///< That are trained.
  float max_delta = 0.0F;
};

/// A range of the trained elements, in every update of the round.
struct DeltaRange {
  std::span<const float* const> updates;  ///< In the round's order.
  std::size_t count = 0;                  ///< Elements of each.
};

/// Ranges begin at multiples of this many elements and end there too, or at the last element; sums over
/// elements are rounded by such blocks, so that they have the same bits however the elements are cut (I4).
inline constexpr std::size_t block_elements = 256;

/// How one round's updates become Δ_t. First, while surveys are wanted, each goes over all elements once;
/// then combine() may. Pure, and the same bits whatever the ranges and their order. survey() and combine()
/// may be called by several threads, the rest by one alone.
class Aggregation {
 public:
  virtual ~Aggregation() = default;

  /// The totals, still 0, that the next survey adds up; nothing: none is wanted any more.
  virtual std::optional<ExactTotals> next_survey() const { return std::nullopt; }
  /// Adds a range's share.
  virtual void survey(const DeltaRange& /*range*/, ExactTotals& /*totals*/) const {}
  /// All ranges have been added.
  virtual void surveyed(const ExactTotals& /*totals*/) {}

  /// Writes Δ_t of a range.
  virtual void combine(const DeltaRange& range, std::span<double> delta) const = 0;
};

/// How Δ_t follows from a round's updates where it is not their mean by examples: a robust rule, or weights
/// that are known only when all updates are. Such a rule reads the updates from the spool once they are
/// complete. Immutable; any thread.
class AggregationRule {
 public:
  virtual ~AggregationRule() = default;
  /// Why what a device says of its update keeps it from counting; empty: nothing does.
  virtual std::string objection(const UpdateFacts& /*update*/) const { return ""; }
  /// Of at least one update; the facts are read before it returns.
  virtual std::unique_ptr<Aggregation> begin(const RoundFacts& round) const = 0;
};

}  // namespace fl::server
