#include "client/store/subset.h"

#include <algorithm>
#include <numeric>

#include "common/base/random.h"

namespace fl::client {

std::vector<std::size_t> chosen_examples(std::size_t count, std::size_t most, std::uint64_t seed) {
  std::vector<std::size_t> indices(count);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  if (count <= most) return indices;
  Random random(seed);
  random.shuffle(indices);
  indices.resize(most);
  std::sort(indices.begin(), indices.end());
  return indices;
}

}  // namespace fl::client
