#include "server/strategy/normalized_averaging.h"

#include <algorithm>
#include <bit>

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
  double done = 0.0;   // steps, doubled and counted on by the bits of how many there are
  double power = 1.0;  // rho to the power of done
  double last = 0.0;   // 1 + rho + … of so many terms
  double sum = 0.0;    // of `last` after 1, 2, … steps; nothing is subtracted, so that no digit is lost
  for (int bit = static_cast<int>(std::bit_width(steps)); bit-- > 0;) {
    sum += done * last + power * sum;
    last += power * last;
    power *= power;
    done += done;
    if ((steps >> static_cast<unsigned>(bit) & 1U) == 0) continue;
    sum += last + power;
    last += power;
    power *= rho;
    done += 1.0;
  }
  return sum;
}

std::unique_ptr<Aggregation> NormalizedAveraging::begin(const RoundFacts& round) const {
  return std::make_unique<NormalizedAggregation>(round, *this);
}

}  // namespace fl::server
