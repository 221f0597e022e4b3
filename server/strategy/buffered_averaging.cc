#include "server/strategy/buffered_averaging.h"

#include <cmath>
#include <string>

#include "common/base/error.h"

namespace fl::server {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& allowed) {
  throw Error(ErrorCode::invalid_argument, what + "; the strategy fedbuff allows " + allowed);
}

}  // namespace

std::uint32_t BufferedAveraging::stale_weight(std::uint32_t /*examples*/, std::uint64_t staleness) const {
  const double scale = 1.0 / std::sqrt(1.0 + static_cast<double>(staleness));
  return static_cast<std::uint32_t>(std::lround(scale * fresh_weight));
}

void BufferedAveraging::step(const ElementRange& range) const {
  // Not by the weights' total: what is behind shall move the model less, not merely less than others.
  const double total = static_cast<double>(updates_) * fresh_weight;
  for (std::size_t i = 0; i < range.next.size(); ++i) {
    const double delta = range.sum[i] / total;
    range.next[i] = static_cast<float>(static_cast<double>(range.base[i]) + learning_rate_ * delta);
  }
}

std::unique_ptr<Strategy> make_fedbuff(ServerSettings& settings, const Plan& plan) {
  const RoundPlan& round = plan.round;
  const double rate = settings.take("server_learning_rate", 1.0);
  settings.take("server_concurrency");
  if (!settings.take("server_max_staleness")) {
    throw Error(ErrorCode::invalid_argument,
                "the strategy fedbuff needs server_max_staleness, how many versions an update may be behind");
  }
  if (round.minimum != round.goal) {
    refuse("the round's minimum is " + std::to_string(round.minimum) + " updates",
           "as many as the goal, " + std::to_string(round.goal) + ", since a buffer has no deadline");
  }
  if (round.over_selection != 1.0) {
    refuse("over_selection is " + std::to_string(round.over_selection),
           "1; server_concurrency says how many devices are at work");
  }
  return std::make_unique<BufferedAveraging>(rate, round.goal);
}

}  // namespace fl::server
