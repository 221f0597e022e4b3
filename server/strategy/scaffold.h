#pragma once

#include <memory>

#include "common/model/plan.h"
#include "server/strategy/server_settings.h"
#include "server/strategy/strategy.h"

namespace fl::server {

/// SCAFFOLD (Karimireddy et al. 2020, Algorithm 1, option II), the server's half: x ← x + η·mean Δy_i and
/// c ← c + |S|/N · mean Δc_i over the updates of a round. The state is c, which devices train by. The
/// devices' examples do not weigh.
class Scaffold final : public Strategy {
 public:
  /// `population` is N.
  Scaffold(double learning_rate, std::uint32_t population)
      : learning_rate_(learning_rate), population_(population) {}

  std::uint32_t weight(std::uint32_t /*examples*/) const override { return 1; }
  bool has_controls() const override { return true; }
  std::size_t state_vectors() const override { return 1; }
  void step(const ElementRange& range) const override;

 private:
  double learning_rate_;
  double population_;
};

/// Throws Error(invalid_argument) naming the setting that is missing or cannot be honoured.
std::unique_ptr<Strategy> make_scaffold(ServerSettings& settings, const Plan& plan);

}  // namespace fl::server
