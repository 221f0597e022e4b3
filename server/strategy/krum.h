#pragma once

#include "server/strategy/aggregation_rule.h"

namespace fl::server {

/// Multi-Krum (Blanchard, El Mhamdi, Guerraoui and Stainer 2017, sections 4 and 5): of K updates, f of which
/// may be an attacker's, each is scored by the sum of its squared distances from the K − f − 2 others nearest
/// to it, and Δ_t is the mean of the m with the lowest scores; of equal scores the first in the round's
/// order. With m = 1 it is Krum. Every update counts the same, however many examples it was trained on.
///
/// Holds a number for each pair of updates.
class Krum final : public AggregationRule {
 public:
  /// `attackers` is f and `kept` m; a round has at least 2f + 3 updates, and at least m.
  Krum(std::size_t attackers, std::size_t kept) : attackers_(attackers), kept_(kept) {}
  std::unique_ptr<Aggregation> begin(const RoundFacts& round) const override;

 private:
  std::size_t attackers_;
  std::size_t kept_;
};

}  // namespace fl::server
