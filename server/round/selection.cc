#include "server/round/selection.h"

#include <algorithm>

#include "common/base/random.h"

namespace fl::server {

std::vector<std::string> select_cohort(std::vector<std::string> candidates, std::size_t count,
                                       std::uint64_t seed) {
  std::sort(candidates.begin(), candidates.end());
  Random(seed).shuffle(candidates);
  candidates.resize(std::min(count, candidates.size()));
  std::sort(candidates.begin(), candidates.end());
  return candidates;
}

}  // namespace fl::server
