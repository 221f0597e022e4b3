#include "server/round/selection.h"

#include <algorithm>

#include "common/base/random.h"

namespace fl::server {

std::vector<std::string> select_cohort(std::vector<std::string> candidates, std::size_t count,
                                       std::uint64_t seed, Sampling sampling,
                                       const std::map<std::string, Timestamp>& took_part) {
  std::sort(candidates.begin(), candidates.end());
  Random(seed).shuffle(candidates);
  if (sampling == Sampling::least_recent) {
    const auto when = [&took_part](const std::string& device) {
      const auto found = took_part.find(device);
      return found == took_part.end() ? Timestamp::min() : found->second;
    };
    std::stable_sort(candidates.begin(), candidates.end(),
                     [&when](const auto& a, const auto& b) { return when(a) < when(b); });
  }
  candidates.resize(std::min(count, candidates.size()));
  std::sort(candidates.begin(), candidates.end());
  return candidates;
}

}  // namespace fl::server
