#include "server/strategy/krum.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "server/strategy/weighted_aggregation.h"

namespace fl::server {
namespace {

class KrumAggregation final : public WeightedAggregation {
 public:
  KrumAggregation(const RoundFacts& round, std::size_t attackers, std::size_t kept)
      : WeightedAggregation(round, 0.0, static_cast<double>(kept)), attackers_(attackers), kept_(kept) {}

  std::optional<ExactTotals> next_survey() const override {
    if (chosen_) return std::nullopt;
    return sums_of_squares(weights().size() * (weights().size() - 1) / 2);
  }

  /// Squared distances of the second from the first update, of the third from the first and the second, …
  void survey(const DeltaRange& range, ExactTotals& totals) const override {
    for (std::size_t first = 0; first < range.count; first += block_elements) {
      const std::size_t count = std::min(block_elements, range.count - first);
      std::size_t pair = 0;
      for (std::size_t a = 0; a < range.updates.size(); ++a) {
        for (std::size_t b = 0; b < a; ++b) {
          totals.add(pair++,
                     squared_distance({range.updates[a] + first, count}, {range.updates[b] + first, count}));
        }
      }
    }
  }

  void surveyed(const ExactTotals& totals) override {
    const std::size_t updates = weights().size();
    std::vector<double> scores(updates);
    for (std::size_t update = 0; update < updates; ++update) scores[update] = score(update, totals);
    std::vector<std::size_t> best(updates);
    std::iota(best.begin(), best.end(), 0);
    std::sort(best.begin(), best.end(), [&scores](std::size_t a, std::size_t b) {
      return std::pair(scores[a], a) < std::pair(scores[b], b);
    });
    for (std::size_t i = 0; i < kept_; ++i) weights()[best[i]] = 1.0;
    chosen_ = true;
  }

 private:
  double score(std::size_t update, const ExactTotals& totals) const {
    std::vector<double> distances;
    for (std::size_t other = 0; other < weights().size(); ++other) {
      if (other == update) continue;
      const auto [b, a] = std::minmax(update, other);
      distances.push_back(totals.value(a * (a - 1) / 2 + b));
    }
    std::sort(distances.begin(), distances.end());
    const auto nearest = static_cast<std::ptrdiff_t>(weights().size() - attackers_ - 2);
    return std::accumulate(distances.begin(), distances.begin() + nearest, 0.0);
  }

  std::size_t attackers_;
  std::size_t kept_;
  bool chosen_ = false;
};

}  // namespace

std::unique_ptr<Aggregation> Krum::begin(const RoundFacts& round) const {
  return std::make_unique<KrumAggregation>(round, attackers_, kept_);
}

}  // namespace fl::server
