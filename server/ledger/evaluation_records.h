#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"

/// What the ledger keeps of versions' evaluation on devices, as plain values.
namespace fl::server {

enum class EvaluationState : std::uint8_t { open, complete, incomplete };
std::string_view name(EvaluationState state);

/// How devices differ in a figure: of so many sorted values the least, the one below which a tenth, a half
/// and nine tenths are, and the greatest.
struct Spread {
  double min = 0.0;
  double p10 = 0.0;
  double p50 = 0.0;
  double p90 = 0.0;
  double max = 0.0;
};

/// What an evaluation's reports add up to. Means are over examples, spreads over devices' own means.
struct EvaluationSummary {
  std::uint32_t devices = 0;  ///< That reported.
  std::uint64_t examples = 0;
  std::optional<double> loss;  ///< Nothing where nobody reported.
  std::optional<Spread> loss_spread;
  std::optional<double> accuracy;  ///< Nothing where nobody reported one, as where the loss has none.
  std::optional<Spread> accuracy_spread;
};

struct EvaluationRecord {
  std::string task;
  std::uint64_t evaluation = 0;  ///< From 1.
  std::uint64_t version = 0;     ///< A version is evaluated at most once.
  EvaluationState state = EvaluationState::open;
  Timestamp opened{};
  Timestamp deadline{};
  Timestamp closed{};
  std::string reason;         ///< Why it ended before its goal.
  EvaluationSummary summary;  ///< From its end on.
};

enum class EvaluatorState : std::uint8_t { selected, reported, refused };
std::string_view name(EvaluatorState state);

/// A device's part in an evaluation.
struct EvaluatorRecord {
  std::string device;
  EvaluatorState state = EvaluatorState::selected;
  std::string reason;  ///< Why its report was refused, or it declined.
  Timestamp at{};
  std::uint64_t examples = 0;     ///< That it holds out; at least 1 where it reported.
  double loss_sum = 0.0;          ///< Over them.
  std::optional<double> correct;  ///< Of them; nothing where the loss knows no right and wrong.
};

}  // namespace fl::server
