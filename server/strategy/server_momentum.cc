#include "server/strategy/server_momentum.h"

namespace fl::server {

void ServerMomentum::step(const ElementRange& range) const {
  const std::span<float> momentum = range.state[0];
  for (std::size_t i = 0; i < range.next.size(); ++i) {
    const double mean = range.sum[i] / range.total_weight;
    momentum[i] = static_cast<float>(momentum_ * static_cast<double>(momentum[i]) + mean);
    range.next[i] = static_cast<float>(static_cast<double>(range.base[i]) +
                                       learning_rate_ * static_cast<double>(momentum[i]));
  }
}

}  // namespace fl::server
