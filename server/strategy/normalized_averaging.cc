#include "server/strategy/normalized_averaging.h"

#include <algorithm>

#include "server/strategy/power.h"
#include "server/strategy/weighted_aggregation.h"

namespace fl::server {
namespace {

class NormalizedAggregation final : public WeightedAggregation {
 public:
  NormalizedAggregation(const RoundFacts& round, const NormalizedAveraging& rule)
      : WeightedAggregation(round, 0.0, 1.0) {
    double examples = 0.0;
    double taken = 0.0;  // Σ n_k · ‖a_k‖₁
    for (std::size_t update = 0; update < round.updates.size(); ++update) {
      const double own = round.updates[update].examples;
      const double normalizer = rule.normalizer(round.updates[update].steps);
      weights()[update] = own / normalizer;
      examples += own;
      taken += own * normalizer;
    }
    set_total(examples * examples / taken);
  }
};

}  // namespace

std::string NormalizedAveraging::objection(const UpdateFacts& update) const {
  const std::uint64_t batches = update.examples / training_.batch_size;
  const std::uint64_t rest = update.examples % training_.batch_size > 0 ? 1 : 0;
  const std::uint64_t least = training_.steps + training_.epochs * std::max<std::uint64_t>(batches, 1);
  const std::uint64_t most = training_.steps + training_.epochs * (batches + rest);
  if (update.steps >= least && update.steps <= most) return "";
  return "the update says " + std::to_string(update.steps) + " steps, the plan makes " +
         std::to_string(least) + (most > least ? " to " + std::to_string(most) : "") + " on " +
         std::to_string(update.examples) + " examples";
}

double NormalizedAveraging::normalizer(std::uint64_t steps) const {
  const double rho = training_.momentum;
  const auto count = static_cast<double>(steps);
  if (rho == 0.0) return count;
  return (count - rho * (1.0 - power(rho, count)) / (1.0 - rho)) / (1.0 - rho);
}

std::unique_ptr<Aggregation> NormalizedAveraging::begin(const RoundFacts& round) const {
  return std::make_unique<NormalizedAggregation>(round, *this);
}

}  // namespace fl::server
