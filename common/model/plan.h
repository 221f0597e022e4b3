#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/model/encoding.h"
#include "common/model/keep_count.h"

namespace fl {

enum class Optimizer : std::uint8_t { sgd, adam };
std::string_view name(Optimizer optimizer);
/// Throws Error(invalid_argument) naming the known ones.
Optimizer optimizer_from_name(std::string_view name);

/// How the learning rate changes from round to round; the first round is 1.
enum class Schedule : std::uint8_t {
  constant,
  step,         ///< Multiplied by `factor` every `period` rounds.
  exponential,  ///< Multiplied by `factor` every round.
  cosine,       ///< From the full rate down to `factor` times it over `period` rounds, then constant.
};
std::string_view name(Schedule schedule);
/// Throws Error(invalid_argument) naming the known ones.
Schedule schedule_from_name(std::string_view name);

/// What an acknowledged update withstands; a version is synced before it is published, whichever it is.
enum class Durability : std::uint8_t {
  fsync,    ///< Synced first: it survives a power cut.
  relaxed,  ///< Written: it survives the server's end, however sudden. A power cut may take it back, or have
            ///< the round abandoned.
};
std::string_view name(Durability durability);
/// Throws Error(invalid_argument) naming the known ones.
Durability durability_from_name(std::string_view name);

/// Which of the devices that wait a round selects.
enum class Sampling : std::uint8_t {
  uniform,       ///< Each set of them is equally likely.
  least_recent,  ///< Those whose last update that became part of a version is the oldest, or who have none;
                 ///< where that does not tell them apart, as uniform.
};
std::string_view name(Sampling sampling);
/// Throws Error(invalid_argument) naming the known ones.
Sampling sampling_from_name(std::string_view name);

/// How a device trains in a round. Each field's allowed range is in brackets.
struct TrainingPlan {
  Optimizer optimizer = Optimizer::sgd;
  double learning_rate = 0.05;  ///< (0, 100]
  double momentum = 0.0;        ///< [0, 1) sgd
  double weight_decay = 0.0;    ///< [0, 1] L2, added to the gradient
  double beta1 = 0.9;           ///< [0, 1) adam
  double beta2 = 0.999;         ///< [0, 1) adam
  double epsilon = 1e-8;        ///< [1e-30, 1] adam
  Schedule schedule = Schedule::constant;
  std::uint32_t schedule_period = 1;  ///< [1, 1e6] rounds
  double schedule_factor = 1.0;       ///< (0, 1]
  std::uint32_t epochs = 1;           ///< [0, 1e4] passes over the local examples; 0 where `steps` counts.
  std::uint32_t steps = 0;            ///< [0, 1e8] batches, reshuffling as needed; 0 where `epochs` counts.
  std::uint32_t batch_size = 16;      ///< [1, 1e6]
  /// [0, 1000] FedProx: adds mu/2·|w − w_round|² to the loss (Li et al. 2020, eq. 2).
  double proximal_mu = 0.0;
  double gradient_clip = 0.0;  ///< [0, 1e6] Largest L2 norm of a batch's gradient; 0: not clipped.

  /// The rate of a round, the first being 1, by `schedule`. Of a plan that is valid.
  double learning_rate_at(std::uint64_t round) const;
  /// Throws Error(invalid_argument) naming the key, its value and the allowed range. Exactly one of epochs
  /// and steps must be above 0.
  void validate() const;
};

/// How the server runs a task's rounds. Each field's allowed range is in brackets.
struct RoundPlan {
  std::string strategy = "fedavg";  ///< 1 to 64 of a-z, 0-9, '_', '-'; which there are, the server knows.
  std::uint64_t rounds = 0;         ///< [0, 1e9] Rounds to commit before the task rests; 0: no end.
  std::uint32_t goal = 2;           ///< [1, 1e6] Updates that complete a round.
  std::uint32_t minimum = 2;        ///< [1, goal] Updates that suffice at the deadline.
  double over_selection = 1.3;      ///< [1, 10] Devices selected per update wanted, where there are as many.
  Sampling sampling = Sampling::uniform;
  std::uint32_t selection_seconds = 60;  ///< [0, a week] Wait for goal × over_selection devices; then
                                         ///< `minimum` suffice.
  std::uint32_t deadline_seconds = 600;  ///< [1, a week] From selection to the last accepted update.
  std::uint32_t min_period_seconds = 0;  ///< [0, a week] From a device's update that became part of a version
                                         ///< until it is selected again; 0: at once.
  std::uint32_t max_examples = 10'000;   ///< [1, 2^29] The most examples an update may count for.
  double max_delta = 16.0;               ///< [1e-30, 1e6] The largest |element| of a delta, as a float.
  std::uint64_t max_update_bytes = std::uint64_t{8}
                                   << 30U;      ///< [1, 64 GiB] The largest update, 4 bytes a parameter.
  Encoding encoding = Encoding::fp32;           ///< Of updates; fp16 has room for deltas up to 65504.
  Compression compression = Compression::none;  ///< Of updates, besides.
  /// Of what a version adds to the one before it; fp32: versions travel whole, as they are.
  Encoding download_encoding = Encoding::fp32;
  Durability durability = Durability::fsync;
  KeepCount keep_updates{0};  ///< [0, 1e9] or all: committed rounds whose updates stay, to be replayed.
  KeepCount keep_versions;    ///< [1, 1e9] or all: versions whose weights and state stay, the newest.
  std::uint64_t seed = 1;

  // Of the strategy; which has which, and their defaults, is in docs/strategies.md.
  std::optional<double> server_learning_rate;      ///< (0, 1000]
  std::optional<double> server_momentum;           ///< [0, 1)
  std::optional<double> server_beta1;              ///< [0, 1)
  std::optional<double> server_beta2;              ///< [0, 1)
  std::optional<double> server_tau;                ///< [1e-9, 1]
  std::optional<double> server_trim;               ///< (0, 0.5)
  std::optional<double> server_norm_bound;         ///< (0, 1e9]
  std::optional<std::uint32_t> server_attackers;   ///< [0, 1e6]
  std::optional<std::uint32_t> server_kept;        ///< [1, 1e6]
  std::optional<std::uint32_t> server_iterations;  ///< [1, 100]
  std::optional<double> server_smoothing;          ///< [1e-12, 1]
  std::optional<double> server_q;                  ///< [0, 16]
  std::optional<double> server_lipschitz;          ///< (0, 1e6]
  /// [0, 1e6] How many versions an update may be behind. A task that has it is asynchronous.
  std::optional<std::uint32_t> server_max_staleness;
  std::optional<std::uint32_t> server_concurrency;  ///< [1, 1e6] Devices at work at a time.

  /// [1, 1e9] How many devices the task has. In a task that has it devices keep control variates.
  std::optional<std::uint32_t> server_population;
  std::optional<double>
      server_max_control;  ///< (0, 1e6] The largest |element| of a control variate's change.

  /// Whether an update is followed by the change of its device's control variate.
  bool has_controls() const { return server_population.has_value(); }
  double max_control() const { return server_max_control.value_or(16.0); }

  /// Whether devices work at their own pace, from whichever version was the newest when they asked.
  bool asynchronous() const { return server_max_staleness.has_value(); }

  /// Throws Error(invalid_argument) naming the key, its value and the allowed range.
  void validate() const;
};

/// Which versions devices evaluate on examples that they hold out, and how. Each field's allowed range is in
/// brackets.
struct EvaluationPlan {
  std::uint32_t every = 0;    ///< [0, 1e9] Every version whose number is a multiple of it; 0: none.
  std::uint32_t goal = 10;    ///< [1, 1e6] Reports that complete an evaluation.
  std::uint32_t minimum = 2;  ///< [1, goal] Reports that suffice where it ends before.
  std::uint32_t deadline_seconds = 600;  ///< [1, a week] From the first offer to the last report.

  bool is_due(std::uint64_t version) const { return every != 0 && version % every == 0; }
  /// Throws Error(invalid_argument) naming the key, its value and the allowed range.
  void validate() const;
};

struct Plan {
  TrainingPlan training;
  RoundPlan round;
  EvaluationPlan evaluation{};

  void validate() const {
    training.validate();
    round.validate();
    evaluation.validate();
  }
};

/// Shows every setting that only some strategies have to `visit`, with its key.
template <typename Settings, typename Visit>
void visit_strategy_settings(Settings& plan, Visit visit) {
  visit("server_learning_rate", plan.server_learning_rate);
  visit("server_momentum", plan.server_momentum);
  visit("server_beta1", plan.server_beta1);
  visit("server_beta2", plan.server_beta2);
  visit("server_tau", plan.server_tau);
  visit("server_trim", plan.server_trim);
  visit("server_norm_bound", plan.server_norm_bound);
  visit("server_attackers", plan.server_attackers);
  visit("server_kept", plan.server_kept);
  visit("server_iterations", plan.server_iterations);
  visit("server_smoothing", plan.server_smoothing);
  visit("server_q", plan.server_q);
  visit("server_lipschitz", plan.server_lipschitz);
  visit("server_max_staleness", plan.server_max_staleness);
  visit("server_concurrency", plan.server_concurrency);
  visit("server_population", plan.server_population);
  visit("server_max_control", plan.server_max_control);
}

/// JSON text as kept in the server's database.
std::string to_json(const Plan& plan);
/// Throws Error(invalid_data) naming the key that is unknown or of the wrong kind. Missing keys: defaults,
/// but where `steps` is given above 0 and `epochs` is not, `epochs` is 0. Does not validate().
Plan plan_from_json(std::string_view text);

}  // namespace fl
