#include "server/fleet/evaluation_summary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "server/strategy/exact_totals.h"

namespace fl::server {
namespace {

/// Less counts as nothing; there must be a bound above 0.
constexpr double least_sum = 1e-100;

/// A device's sum of a figure over so many examples.
struct Part {
  double sum = 0.0;
  std::uint64_t examples = 0;
};

double mean_of(const Part& part) {
  return part.sum / static_cast<double>(part.examples);
}

/// The bound that ExactTotals wants depends on the parts, not on their order, as the sum does.
double mean_of(const std::vector<Part>& parts) {
  double largest = least_sum;
  std::uint64_t examples = 0;
  for (const Part& part : parts) {
    largest = std::max(largest, std::abs(part.sum));
    examples += part.examples;
  }
  ExactTotals total(1, largest * static_cast<double>(parts.size()));
  for (const Part& part : parts) total.add(0, part.sum);
  return total.value(0) / static_cast<double>(examples);
}

Spread spread_of(const std::vector<Part>& parts) {
  std::vector<double> means;
  means.reserve(parts.size());
  for (const Part& part : parts) means.push_back(mean_of(part));
  std::sort(means.begin(), means.end());
  const auto percentile = [&means](std::size_t percent) {
    return means[(percent * means.size() + 99) / 100 - 1];
  };
  return {means.front(), percentile(10), percentile(50), percentile(90), means.back()};
}

}  // namespace

EvaluationSummary summarise(std::span<const EvaluatorRecord> devices) {
  EvaluationSummary summary;
  std::vector<Part> losses;
  std::vector<Part> correct;
  for (const EvaluatorRecord& device : devices) {
    if (device.state != EvaluatorState::reported) continue;
    ++summary.devices;
    summary.examples += device.examples;
    losses.push_back({device.loss_sum, device.examples});
    if (device.correct) correct.push_back({*device.correct, device.examples});
  }
  if (!losses.empty()) {
    summary.loss = mean_of(losses);
    summary.loss_spread = spread_of(losses);
  }
  if (!correct.empty()) {
    summary.accuracy = mean_of(correct);
    summary.accuracy_spread = spread_of(correct);
  }
  return summary;
}

}  // namespace fl::server
