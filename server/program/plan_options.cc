#include "server/program/plan_options.h"

#include <algorithm>
#include <concepts>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

namespace fl::server {
namespace {

using program::Arguments;
using program::UsageError;

/// Shows every field of a training plan to `visit`, with its option's name, placeholder and description.
template <typename Visit>
void visit_training(TrainingPlan& plan, Visit visit) {
  visit("train.optimizer", "NAME", "sgd or adam", plan.optimizer);
  visit("train.learning-rate", "RATE", "in the first round", plan.learning_rate);
  visit("train.momentum", "M", "of sgd", plan.momentum);
  visit("train.weight-decay", "D", "added to the gradient, times the weight", plan.weight_decay);
  visit("train.beta1", "B", "of adam", plan.beta1);
  visit("train.beta2", "B", "of adam", plan.beta2);
  visit("train.epsilon", "E", "of adam", plan.epsilon);
  visit("train.schedule", "NAME", "constant, step, exponential or cosine: the learning rate by round",
        plan.schedule);
  visit("train.schedule-period", "ROUNDS", "of step and cosine", plan.schedule_period);
  visit("train.schedule-factor", "F", "of step, exponential and cosine", plan.schedule_factor);
  visit("train.epochs", "N", "passes over a device's examples in a round", plan.epochs);
  visit("train.steps", "N", "batches in a round, instead of epochs", plan.steps);
  visit("train.batch-size", "N", "examples in a batch", plan.batch_size);
  visit("train.proximal-mu", "MU", "of FedProx: keeps devices near the round's weights", plan.proximal_mu);
  visit("train.gradient-clip", "NORM", "the largest norm of a batch's gradient; 0: any", plan.gradient_clip);
}

/// What only some strategies have.
template <typename Visit>
void visit_strategy(RoundPlan& plan, Visit visit) {
  visit("round.server-learning-rate", "RATE", "of the step that the server takes; not of qfedavg",
        plan.server_learning_rate);
  visit("round.server-momentum", "M", "of fedavgm", plan.server_momentum);
  visit("round.server-beta1", "B", "of fedadagrad, fedyogi and fedadam", plan.server_beta1);
  visit("round.server-beta2", "B", "of fedyogi and fedadam", plan.server_beta2);
  visit("round.server-tau", "T", "of fedadagrad, fedyogi and fedadam", plan.server_tau);
  visit("round.server-trim", "F", "of trimmed-mean: the part of the updates cut off at each end",
        plan.server_trim);
  visit("round.server-norm-bound", "NORM", "of norm-bound: the largest norm of an update",
        plan.server_norm_bound);
  visit("round.server-attackers", "F", "of krum and multi-krum: updates that may be an attacker's",
        plan.server_attackers);
  visit("round.server-kept", "M", "of multi-krum: updates that the mean is taken of", plan.server_kept);
  visit("round.server-iterations", "N", "of geometric-median", plan.server_iterations);
  visit("round.server-smoothing", "NORM", "of geometric-median: distances below it count as it",
        plan.server_smoothing);
  visit("round.server-q", "Q", "of qfedavg: how much more devices with a high loss weigh", plan.server_q);
  visit("round.server-lipschitz", "L", "of qfedavg; without it, 1 / train.learning-rate",
        plan.server_lipschitz);
  visit("round.server-max-staleness", "N", "of fedbuff: how many versions an update may be behind",
        plan.server_max_staleness);
  visit("round.server-concurrency", "N",
        "of fedbuff: devices at work at a time; without it, goal * (server-max-staleness + 1)",
        plan.server_concurrency);
  visit("round.server-population", "N", "of scaffold: how many devices the task has", plan.server_population);
  visit("round.server-max-control", "D",
        "of scaffold: the largest change of a control variate; without it, 16", plan.server_max_control);
}

template <typename Visit>
void visit_pace(RoundPlan& plan, Visit visit) {
  visit("round.over-selection", "F", "devices selected for each update wanted, where there are as many",
        plan.over_selection);
  visit("round.sampling", "NAME",
        "which of the devices that wait: uniform, or least_recent, those who took part longest ago",
        plan.sampling);
  visit("round.selection-seconds", "S", "how long to wait for all the devices wanted",
        plan.selection_seconds);
  visit("round.deadline-seconds", "S", "from selection to the last update", plan.deadline_seconds);
  visit("round.min-period-seconds", "S",
        "from a device's update that became part of a version until it is selected again",
        plan.min_period_seconds);
}

template <typename Visit>
void visit_round(RoundPlan& plan, Visit visit) {
  visit(
      "round.strategy", "NAME",
      "how updates become the next version: fedavg, fedprox, fedavgm, fedadagrad, fedyogi, fedadam, fednova, "
      "qfedavg, median, trimmed-mean, norm-bound, krum, multi-krum, geometric-median, fedbuff or scaffold; "
      "docs/strategies.md has their settings and defaults",
      plan.strategy);
  visit_strategy(plan, visit);
  visit("round.rounds", "N", "how many rounds to make; 0: no end", plan.rounds);
  visit("round.goal", "N", "updates that complete a round", plan.goal);
  visit("round.minimum", "N", "updates that suffice at the deadline; at most the goal", plan.minimum);
  visit_pace(plan, visit);
  visit("round.max-examples", "N", "the most examples an update may count for", plan.max_examples);
  visit("round.max-delta", "D", "the largest change of a weight in an update", plan.max_delta);
  visit("round.max-update-bytes", "BYTES", "the largest update", plan.max_update_bytes);
  visit("round.encoding", "NAME", "of updates on their way: fp32, fp16 (half the bytes) or int8 (a quarter)",
        plan.encoding);
  visit("round.compression", "NAME",
        "of updates on their way, besides: none, or zstd, without loss (28 to 30 % off int8, 9 to 17 % off "
        "fp16)",
        plan.compression);
  visit(
      "round.download-encoding", "NAME",
      "of versions on their way to devices that have the one before: fp32 (whole and as they are), or their "
      "difference as fp16 (half the bytes) or int8 (a quarter), to which versions are then rounded",
      plan.download_encoding);
  visit("round.durability", "NAME",
        "fsync: acknowledged updates survive a power cut; relaxed: only the server's end", plan.durability);
  visit("round.keep-updates", "N|all", "committed rounds whose updates stay on the disk, to be replayed",
        plan.keep_updates);
  visit("round.keep-versions", "N|all", "versions whose weights stay on the disk, the newest",
        plan.keep_versions);
  visit("round.seed", "SEED", "of everything that is drawn", plan.seed);
}

template <typename Visit>
void visit_evaluation(EvaluationPlan& plan, Visit visit) {
  visit("evaluation.every", "N", "evaluate every Nth version, by its number; 0: none", plan.every);
  visit("evaluation.goal", "N", "devices' reports that complete an evaluation", plan.goal);
  visit("evaluation.minimum", "N", "reports that suffice where it ends before; at most the goal",
        plan.minimum);
  visit("evaluation.deadline-seconds", "S", "from the first device that evaluates to the last report",
        plan.deadline_seconds);
}

std::string text_of(const std::string& value) {
  return value;
}
std::string text_of(Optimizer value) {
  return std::string(name(value));
}
std::string text_of(Schedule value) {
  return std::string(name(value));
}
std::string text_of(Encoding value) {
  return std::string(name(value));
}
std::string text_of(Compression value) {
  return std::string(name(value));
}
std::string text_of(Sampling value) {
  return std::string(name(value));
}
std::string text_of(Durability value) {
  return std::string(name(value));
}
std::string text_of(const KeepCount& value) {
  return name(value);
}
template <std::unsigned_integral Number>
std::string text_of(Number value) {
  return std::to_string(value);
}
std::string text_of(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

/// What a strategy has its own default for.
template <typename Value>
std::string text_of(const std::optional<Value>& value) {
  return value ? text_of(*value) : "";
}

void read(const Arguments& given, const char* name, std::string& out) {
  out = given.text(name);
}
void read(const Arguments& given, const char* name, double& out) {
  out = given.number(name);
}
void read(const Arguments& given, const char* name, Optimizer& out) {
  out = optimizer_from_name(given.text(name));
}
void read(const Arguments& given, const char* name, Schedule& out) {
  out = schedule_from_name(given.text(name));
}
void read(const Arguments& given, const char* name, Encoding& out) {
  out = encoding_from_name(given.text(name));
}
void read(const Arguments& given, const char* name, Compression& out) {
  out = compression_from_name(given.text(name));
}
void read(const Arguments& given, const char* name, Sampling& out) {
  out = sampling_from_name(given.text(name));
}
void read(const Arguments& given, const char* name, Durability& out) {
  out = durability_from_name(given.text(name));
}
void read(const Arguments& given, const char* name, KeepCount& out) {
  out = keep_count_from_name(given.text(name));
}
template <std::unsigned_integral Number>
void read(const Arguments& given, const char* name, Number& out) {
  constexpr std::uint64_t largest =
      std::min<std::uint64_t>(std::numeric_limits<Number>::max(), std::numeric_limits<std::int64_t>::max());
  out = static_cast<Number>(given.integer(name, 0, static_cast<std::int64_t>(largest)));
}

template <typename Value>
void read(const Arguments& given, const char* name, std::optional<Value>& out) {
  read(given, name, out.emplace());
}

/// Reads the options that are given into their fields.
auto reader(const Arguments& arguments) {
  return [&arguments](const char* name, const char*, const char*, auto& field) {
    if (!arguments.has(name)) return;
    try {
      read(arguments, name, field);
    } catch (const UsageError&) {
      throw;
    } catch (const Error& error) {
      throw UsageError(arguments.where(name) + ": " + error.what());
    }
  };
}

/// Validates a part of the plan, whose sentences begin with the field's name, as "batch_size is 0, …".
template <typename Part>
void validate(const Part& part, const std::string& prefix) {
  try {
    part.validate();
  } catch (const Error& error) {
    std::string sentence = error.what();
    const std::size_t end = std::min(sentence.find(' '), sentence.size());
    std::replace(sentence.begin(), sentence.begin() + static_cast<std::ptrdiff_t>(end), '_', '-');
    throw UsageError("--" + prefix + sentence);
  }
}

}  // namespace

void add_plan_options(program::Options& options) {
  const auto declare = [&options](const char* name, const char* placeholder, const char* description,
                                  const auto& field) {
    const std::string fallback = text_of(field);
    options.value(name, placeholder, description, fallback.empty() ? std::nullopt : std::optional(fallback));
  };
  TrainingPlan training;
  RoundPlan round;
  EvaluationPlan evaluation;
  options.group("How devices train");
  visit_training(training, declare);
  options.group("How rounds run");
  visit_round(round, declare);
  options.group("How versions are evaluated on devices");
  visit_evaluation(evaluation, declare);
}

Plan plan_of(const Arguments& arguments) {
  Plan plan;
  visit_training(plan.training, reader(arguments));
  visit_round(plan.round, reader(arguments));
  visit_evaluation(plan.evaluation, reader(arguments));
  if (arguments.has("train.steps") && !arguments.has("train.epochs")) plan.training.epochs = 0;
  if (!arguments.has("round.minimum")) {
    plan.round.minimum =
        plan.round.asynchronous() ? plan.round.goal : std::min(plan.round.minimum, plan.round.goal);
  }
  if (plan.round.asynchronous() && !arguments.has("round.over-selection")) plan.round.over_selection = 1.0;
  if (!arguments.has("evaluation.minimum")) {
    plan.evaluation.minimum = std::min(plan.evaluation.minimum, plan.evaluation.goal);
  }
  validate(plan.training, "train.");
  validate(plan.round, "round.");
  validate(plan.evaluation, "evaluation.");
  return plan;
}

}  // namespace fl::server
