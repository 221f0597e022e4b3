#include "server/strategy/adaptive_optimizer.h"

#include <cmath>

namespace fl::server {
namespace {

/// `next_v` is how v follows from v before and Δ².
template <typename SecondMomentOf>
void move(const ElementRange& range, const AdaptiveOptimizer::Settings& settings, SecondMomentOf next_v) {
  const std::span<float> m = range.state[0];
  const std::span<float> v = range.state[1];
  for (std::size_t i = 0; i < range.next.size(); ++i) {
    const double mean = range.sum[i] / range.total_weight;
    m[i] = static_cast<float>(settings.beta1 * static_cast<double>(m[i]) + (1.0 - settings.beta1) * mean);
    v[i] = static_cast<float>(next_v(static_cast<double>(v[i]), mean * mean));
    const double step = static_cast<double>(m[i]) / (std::sqrt(static_cast<double>(v[i])) + settings.tau);
    range.next[i] = static_cast<float>(static_cast<double>(range.base[i]) + settings.learning_rate * step);
  }
}

}  // namespace

float AdaptiveOptimizer::initial_state(std::size_t vector) const {
  return vector == 0 ? 0.0F : static_cast<float>(settings_.tau * settings_.tau);
}

void AdaptiveOptimizer::step(const ElementRange& range) const {
  const double beta2 = settings_.beta2;
  switch (kind_) {
    case SecondMoment::adagrad:
      return move(range, settings_, [](double v, double square) { return v + square; });
    case SecondMoment::adam:
      return move(range, settings_,
                  [beta2](double v, double square) { return beta2 * v + (1.0 - beta2) * square; });
    case SecondMoment::yogi:
      return move(range, settings_, [beta2](double v, double square) {
        const double change = (1.0 - beta2) * square;
        return v > square ? v - change : v < square ? v + change : v;
      });
  }
}

}  // namespace fl::server
