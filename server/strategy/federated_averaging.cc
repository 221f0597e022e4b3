#include "server/strategy/federated_averaging.h"

namespace fl::server {

void FederatedAveraging::step(const ElementRange& range) const {
  for (std::size_t i = 0; i < range.next.size(); ++i) {
    const double mean = range.sum[i] / range.total_weight;
    range.next[i] = static_cast<float>(static_cast<double>(range.base[i]) + learning_rate_ * mean);
  }
}

}  // namespace fl::server
