#include "common/model/plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>

#include "common/base/error.h"
#include "common/model/names.h"

namespace fl {
namespace {

constexpr names::Table<Optimizer, 2> optimizers{{{Optimizer::sgd, "sgd"}, {Optimizer::adam, "adam"}}};

constexpr names::Table<Schedule, 4> schedules{{{Schedule::constant, "constant"},
                                               {Schedule::step, "step"},
                                               {Schedule::exponential, "exponential"},
                                               {Schedule::cosine, "cosine"}}};

constexpr names::Table<Durability, 2> durabilities{
    {{Durability::fsync, "fsync"}, {Durability::relaxed, "relaxed"}}};

constexpr names::Table<Sampling, 2> samplings{
    {{Sampling::uniform, "uniform"}, {Sampling::least_recent, "least_recent"}}};

/// Up to here the product of a number of examples and a float is exact in double.
constexpr std::uint32_t most_examples = std::uint32_t{1} << 29U;
constexpr std::uint32_t most_updates = 1'000'000;
constexpr std::uint32_t week_seconds = 7 * 24 * 3600;

std::string text_of(double value) {
  std::array<char, 32> digits{};
  char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

[[noreturn]] void refuse(std::string_view key, const std::string& value, const std::string& allowed) {
  throw Error(ErrorCode::invalid_argument, std::string(key) + " is " + value + ", it must be " + allowed);
}

void check_from(std::string_view key, double value, double lowest, double highest) {
  if (value >= lowest && value <= highest) return;  // false for NaN
  refuse(key, text_of(value), "from " + text_of(lowest) + " to " + text_of(highest));
}

void check_above(std::string_view key, double value, double bound, double highest) {
  if (value > bound && value <= highest) return;
  refuse(key, text_of(value), "above " + text_of(bound) + " and at most " + text_of(highest));
}

void check_below(std::string_view key, double value, double lowest, double bound) {
  if (value >= lowest && value < bound) return;
  refuse(key, text_of(value), "at least " + text_of(lowest) + " and below " + text_of(bound));
}

void check_whole(std::string_view key, std::uint64_t value, std::uint64_t lowest, std::uint64_t highest) {
  if (value >= lowest && value <= highest) return;
  refuse(key, std::to_string(value), "from " + std::to_string(lowest) + " to " + std::to_string(highest));
}

void check_pace(const RoundPlan& plan) {
  check_from("over_selection", plan.over_selection, 1, 10);
  check_whole("selection_seconds", plan.selection_seconds, 0, week_seconds);
  check_whole("deadline_seconds", plan.deadline_seconds, 1, week_seconds);
  check_whole("min_period_seconds", plan.min_period_seconds, 0, week_seconds);
}

void check_kept(std::string_view key, const KeepCount& keep, std::uint64_t lowest) {
  if (keep.newest) check_whole(key, *keep.newest, lowest, 1'000'000'000);
}

/// A version may move by as much as one update.
void check_room(const RoundPlan& plan, Encoding encoding, const std::string& what) {
  const auto largest = static_cast<double>(largest_encodable(encoding));
  if (plan.max_delta <= largest) return;
  refuse("max_delta", text_of(plan.max_delta),
         "at most " + text_of(largest) + " where " + what + " are encoded as " + std::string(name(encoding)));
}

void check_robust(const RoundPlan& plan) {
  constexpr double half = 0.5;
  const double trim = plan.server_trim.value_or(half / 2);
  const bool trims = trim > 0 && trim < half;  // false for NaN
  if (!trims) refuse("server_trim", text_of(trim), "above 0 and below 0.5");
  if (plan.server_norm_bound) check_above("server_norm_bound", *plan.server_norm_bound, 0, 1e9);
  if (plan.server_attackers) check_whole("server_attackers", *plan.server_attackers, 0, most_updates);
  if (plan.server_kept) check_whole("server_kept", *plan.server_kept, 1, most_updates);
  if (plan.server_iterations) check_whole("server_iterations", *plan.server_iterations, 1, 100);
  if (plan.server_smoothing) check_from("server_smoothing", *plan.server_smoothing, 1e-12, 1);
}

void check_asynchronous(const RoundPlan& plan) {
  if (plan.server_max_staleness)
    check_whole("server_max_staleness", *plan.server_max_staleness, 0, 1'000'000);
  if (plan.server_concurrency) check_whole("server_concurrency", *plan.server_concurrency, 1, 1'000'000);
}

void check_controls(const RoundPlan& plan) {
  if (plan.server_population) check_whole("server_population", *plan.server_population, 1, 1'000'000'000);
  if (!plan.server_max_control) return;
  check_above("server_max_control", *plan.server_max_control, 0, 1e6);
  const double most = static_cast<double>(largest_encodable(plan.encoding));
  if (*plan.server_max_control <= most) return;
  refuse("server_max_control", text_of(*plan.server_max_control),
         "at most " + text_of(most) + " where updates are encoded as " + std::string(name(plan.encoding)));
}

}  // namespace

std::string_view name(Optimizer optimizer) {
  return names::find_name(optimizers, optimizer);
}

Optimizer optimizer_from_name(std::string_view name) {
  return names::find_value(optimizers, "optimizer", name);
}

std::string_view name(Schedule schedule) {
  return names::find_name(schedules, schedule);
}

Schedule schedule_from_name(std::string_view name) {
  return names::find_value(schedules, "schedule", name);
}

std::string_view name(Durability durability) {
  return names::find_name(durabilities, durability);
}

Durability durability_from_name(std::string_view name) {
  return names::find_value(durabilities, "durability", name);
}

std::string_view name(Sampling sampling) {
  return names::find_name(samplings, sampling);
}

Sampling sampling_from_name(std::string_view name) {
  return names::find_value(samplings, "sampling", name);
}

double TrainingPlan::learning_rate_at(std::uint64_t round) const {
  const std::uint64_t before = round > 0 ? round - 1 : 0;
  const double period = std::max<std::uint32_t>(schedule_period, 1);
  const double periods = static_cast<double>(before) / period;
  switch (schedule) {
    case Schedule::constant:
      return learning_rate;
    case Schedule::step:
      return learning_rate * std::pow(schedule_factor, std::floor(periods));
    case Schedule::exponential:
      return learning_rate * std::pow(schedule_factor, static_cast<double>(before));
    case Schedule::cosine: {
      const double left = (1.0 + std::cos(std::numbers::pi * std::min(periods, 1.0))) / 2.0;
      return learning_rate * (schedule_factor + (1.0 - schedule_factor) * left);
    }
  }
  return learning_rate;
}

void TrainingPlan::validate() const {
  check_above("learning_rate", learning_rate, 0, 100);
  check_below("momentum", momentum, 0, 1);
  check_from("weight_decay", weight_decay, 0, 1);
  check_below("beta1", beta1, 0, 1);
  check_below("beta2", beta2, 0, 1);
  check_from("epsilon", epsilon, 1e-30, 1);
  check_whole("schedule_period", schedule_period, 1, 1'000'000);
  check_above("schedule_factor", schedule_factor, 0, 1);
  check_whole("epochs", epochs, 0, 10'000);
  check_whole("steps", steps, 0, 100'000'000);
  if ((epochs == 0) == (steps == 0)) {
    throw Error(ErrorCode::invalid_argument, "epochs is " + std::to_string(epochs) + " and steps is " +
                                                 std::to_string(steps) +
                                                 ", exactly one of them must be above 0");
  }
  check_whole("batch_size", batch_size, 1, 1'000'000);
  check_from("proximal_mu", proximal_mu, 0, 1000);
  check_from("gradient_clip", gradient_clip, 0, 1e6);
}

void RoundPlan::validate() const {
  if (!names::is_identifier(strategy)) {
    refuse("strategy", in_quotes(strategy), "1 to 64 characters of a-z, 0-9, '_' and '-'");
  }
  check_whole("rounds", rounds, 0, 1'000'000'000);
  check_whole("goal", goal, 1, most_updates);
  check_whole("minimum", minimum, 1, most_updates);
  if (minimum > goal) refuse("minimum", std::to_string(minimum), "at most goal, " + std::to_string(goal));
  check_pace(*this);
  check_whole("max_examples", max_examples, 1, most_examples);
  check_from("max_delta", max_delta, 1e-30, 1e6);
  check_room(*this, encoding, "updates");
  check_room(*this, download_encoding, "downloads");
  check_whole("max_update_bytes", max_update_bytes, 1, std::uint64_t{64} << 30U);
  check_kept("keep_updates", keep_updates, 0);
  check_kept("keep_versions", keep_versions, 1);
  if (server_learning_rate) check_above("server_learning_rate", *server_learning_rate, 0, 1000);
  if (server_momentum) check_below("server_momentum", *server_momentum, 0, 1);
  if (server_beta1) check_below("server_beta1", *server_beta1, 0, 1);
  if (server_beta2) check_below("server_beta2", *server_beta2, 0, 1);
  if (server_tau) check_from("server_tau", *server_tau, 1e-9, 1);
  if (server_q) check_from("server_q", *server_q, 0, 16);
  if (server_lipschitz) check_above("server_lipschitz", *server_lipschitz, 0, 1e6);
  check_robust(*this);
  check_asynchronous(*this);
  check_controls(*this);
}

void EvaluationPlan::validate() const {
  check_whole("every", every, 0, 1'000'000'000);
  check_whole("goal", goal, 1, most_updates);
  check_whole("minimum", minimum, 1, most_updates);
  if (minimum > goal) refuse("minimum", std::to_string(minimum), "at most goal, " + std::to_string(goal));
  check_whole("deadline_seconds", deadline_seconds, 1, week_seconds);
}

}  // namespace fl
