#include "server/strategy/scaffold.h"

#include <string>

#include "common/base/error.h"

namespace fl::server {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& allowed) {
  throw Error(ErrorCode::invalid_argument, what + "; the strategy scaffold allows " + allowed);
}

/// What a device learns of its gradients from how far it went is only so with plain steps.
void check_training(const TrainingPlan& plan) {
  if (plan.optimizer != Optimizer::sgd) {
    refuse("the devices' optimizer is " + std::string(name(plan.optimizer)), "sgd");
  }
  if (plan.momentum > 0) refuse("momentum is " + std::to_string(plan.momentum), "0");
  if (plan.proximal_mu > 0) refuse("proximal_mu is " + std::to_string(plan.proximal_mu), "0");
  if (plan.gradient_clip > 0) refuse("gradient_clip is " + std::to_string(plan.gradient_clip), "0");
}

}  // namespace

void Scaffold::step(const ElementRange& range) const {
  const std::span<float> control = range.state[0];
  for (std::size_t i = 0; i < range.next.size(); ++i) {
    const double mean = range.sum[i] / range.total_weight;
    range.next[i] = static_cast<float>(static_cast<double>(range.base[i]) + learning_rate_ * mean);
    // |S|/N times the mean of |S| changes.
    control[i] = static_cast<float>(static_cast<double>(control[i]) + range.control_sum[i] / population_);
  }
}

std::unique_ptr<Strategy> make_scaffold(ServerSettings& settings, const Plan& plan) {
  const double rate = settings.take("server_learning_rate", 1.0);
  const std::optional<double> population = settings.take("server_population");
  settings.take("server_max_control");
  if (!population) {
    throw Error(ErrorCode::invalid_argument,
                "the strategy scaffold needs server_population, how many devices the task has");
  }
  if (*population < plan.round.goal) {
    refuse("server_population is " + std::to_string(*plan.round.server_population),
           "no fewer devices than the round's goal, " + std::to_string(plan.round.goal));
  }
  if (plan.round.encoding == Encoding::int8) {  // deltas would be as coarse as the controls beside them
    refuse("updates are encoded as int8", "fp32 and fp16");
  }
  check_training(plan.training);
  return std::make_unique<Scaffold>(rate, *plan.round.server_population);
}

}  // namespace fl::server
