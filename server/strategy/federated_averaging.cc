#include "server/strategy/federated_averaging.h"

namespace fl::server {

void FederatedAveraging::next_version(const Layout& /*layout*/, std::span<const float> base,
                                      const ExactFold& fold, std::span<float> next) const {
  const auto total = static_cast<double>(fold.total_weight());
  const std::span<const double> sum = fold.sum();
  for (std::size_t i = 0; i < next.size(); ++i) {
    next[i] = static_cast<float>(static_cast<double>(base[i]) + sum[i] / total);
  }
}

}  // namespace fl::server
