#pragma once

#include <cstdint>
#include <span>

#include "server/ledger/evaluation_records.h"

namespace fl::server {

/// The largest magnitude of a mean loss, and the most examples, that a report may have.
inline constexpr double largest_reported_loss = 1e9;
inline constexpr std::uint64_t most_reported_examples = std::uint64_t{1} << 29U;

/// Adds up the reports among an evaluation's devices, which are within the bounds above: means over examples,
/// and how the devices' own means are spread, by nearest rank: the p-th percentile of n values is the
/// ⌈p·n⌉-th of them in order. Exact but for one rounding of each mean, so that it depends on the set of
/// reports alone and not on their order (I4).
EvaluationSummary summarise(std::span<const EvaluatorRecord> devices);

}  // namespace fl::server
