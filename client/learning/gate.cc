#include "client/learning/gate.h"

#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

namespace fl::client {
namespace {

constexpr std::array<std::string_view, 3> verdicts = {"accept", "reject", "abstain"};

Verdict judge_bounds(const Bounds& gain, double tolerance) {
  if (gain.lower > -tolerance) return Verdict::accept;
  if (gain.upper < -tolerance) return Verdict::reject;
  return Verdict::abstain;
}

}  // namespace

std::string_view name(Verdict verdict) {
  return verdicts.at(static_cast<std::size_t>(verdict));
}

Bounds accuracy_gain(const AnswersCompared& compared, double confidence) {
  const double pairs = static_cast<double>(compared.examples) + 2.0;
  const double won = static_cast<double>(compared.only_challenger) + 0.5;
  const double lost = static_cast<double>(compared.only_champion) + 0.5;
  const double gain = (won - lost) / pairs;
  const double variance = (won + lost - (won - lost) * (won - lost) / pairs) / (pairs * pairs);
  const double reach = boost::math::quantile(boost::math::normal(), confidence) * std::sqrt(variance);
  return {gain - reach, gain + reach};
}

Bounds loss_gain(std::span<const double> gains, double confidence) {
  const auto count = static_cast<double>(gains.size());
  double sum = 0.0;
  for (const double gain : gains) sum += gain;
  const double mean = sum / count;
  double deviations = 0.0;
  for (const double gain : gains) deviations += (gain - mean) * (gain - mean);
  const double error = std::sqrt(deviations / (count - 1.0) / count);
  const double reach = boost::math::quantile(boost::math::students_t(count - 1.0), confidence) * error;
  return {mean - reach, mean + reach};
}

Verdict Gate::judge(const AnswersCompared& compared) const {
  if (compared.examples < minimum) return Verdict::abstain;
  return judge_bounds(accuracy_gain(compared, confidence), tolerance);
}

Verdict Gate::judge(std::span<const double> gains) const {
  if (gains.size() < minimum || gains.size() < 2) return Verdict::abstain;
  return judge_bounds(loss_gain(gains, confidence), tolerance);
}

}  // namespace fl::client
