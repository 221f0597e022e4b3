#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "server/strategy/aggregation_rule.h"

namespace fl::test {

/// A round of updates in memory, and what a rule makes of them.
struct RuledRound {
  std::vector<std::vector<float>> deltas;
  std::vector<server::UpdateFacts> facts;  ///< Made up where there are none.
  float max_delta = 1024.0F;

  void add(std::vector<float> delta, const server::UpdateFacts& its_facts = {1, 1, 1, 1.0}) {
    deltas.push_back(std::move(delta));
    facts.push_back(its_facts);
  }

  /// The elements go to the rule in ranges of `blocks_at_once`, the last range first.
  std::vector<double> apply(const server::AggregationRule& rule, std::size_t blocks_at_once = 1) const {
    const std::size_t elements = deltas.front().size();
    const std::unique_ptr<server::Aggregation> aggregation = rule.begin({facts, elements, max_delta});
    while (auto totals = aggregation->next_survey()) {
      for_each_range(blocks_at_once, [&](std::size_t, const server::DeltaRange& range) {
        aggregation->survey(range, *totals);
      });
      aggregation->surveyed(*totals);
    }
    std::vector<double> delta(elements, -1.0);
    for_each_range(blocks_at_once, [&](std::size_t first, const server::DeltaRange& range) {
      aggregation->combine(range, std::span(delta).subspan(first, range.count));
    });
    return delta;
  }

 private:
  template <typename Visit>
  void for_each_range(std::size_t blocks_at_once, const Visit& visit) const {
    const std::size_t elements = deltas.front().size();
    const std::size_t length = blocks_at_once * server::block_elements;
    for (std::size_t range = (elements + length - 1) / length; range-- > 0;) {
      const std::size_t first = range * length;
      std::vector<const float*> updates;
      for (const std::vector<float>& delta : deltas) updates.push_back(delta.data() + first);
      visit(first, server::DeltaRange{updates, std::min(length, elements - first)});
    }
  }
};

}  // namespace fl::test
