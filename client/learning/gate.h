#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fl::client {

/// What a device says of a challenger after it has held it against its champion.
enum class Verdict : std::uint8_t {
  accept,   ///< It is better, with the confidence asked for.
  reject,   ///< It is worse, with the same confidence, or unfit.
  abstain,  ///< The examples are too few, or the two too alike, to say.
};

/// "accept", "reject" or "abstain".
std::string_view name(Verdict verdict);

/// How two models did on the same held-out examples, of which neither was trained on any.
struct AnswersCompared {
  std::uint64_t examples = 0;
  std::uint64_t only_challenger = 0;  ///< Of them: right by the challenger and wrong by the champion.
  std::uint64_t only_champion = 0;    ///< The other way round.
};

/// Where the truth of a difference lies, with the confidence asked for at each end.
struct Bounds {
  double lower = 0.0;
  double upper = 0.0;
};

/// The difference in accuracy, challenger's less champion's: the adjusted Wald interval for matched pairs of
/// Agresti and Min (2005), half a pair added to each of the four cells, which holds its confidence for few
/// examples too. `confidence`, of each bound by itself, lies in (0.5, 1).
Bounds accuracy_gain(const AnswersCompared& compared, double confidence);

/// The mean of what a champion's losses on some examples, two at least, are larger than the challenger's on
/// the same, by Student's t. Where one of them is not finite, so are the bounds.
Bounds loss_gain(std::span<const double> gains, double confidence);

/// Holds a challenger against a champion by what each answers on examples held out on the device. Pure.
struct Gate {
  std::uint64_t minimum = 30;  ///< Of held-out examples, below which it abstains.
  double confidence = 0.95;    ///< Of an acceptance, and of a rejection, by itself.
  /// How much worse the challenger may be and yet be taken: in accuracy, or in mean loss.
  double tolerance = 0.0;

  Verdict judge(const AnswersCompared& compared) const;
  /// Of regression: each example's loss by the champion less that by the challenger.
  Verdict judge(std::span<const double> gains) const;
};

}  // namespace fl::client
