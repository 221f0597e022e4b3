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
    std::multimap<Timestamp, std::string> by_time;  // those of the same time in their order
    for (const std::string& device : candidates) {
      const auto found = took_part.find(device);
      by_time.emplace(found == took_part.end() ? Timestamp::min() : found->second, device);
    }
    candidates.clear();
    for (const auto& [time, device] : by_time) candidates.push_back(device);
  }
  candidates.resize(std::min(count, candidates.size()));
  std::sort(candidates.begin(), candidates.end());
  return candidates;
}

}  // namespace fl::server
