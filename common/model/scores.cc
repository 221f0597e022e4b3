#include "common/model/scores.h"

#include <algorithm>
#include <cmath>

#include "common/base/error.h"

namespace fl {
namespace {

void softmax(std::span<float> values) {
  const float largest = *std::max_element(values.begin(), values.end());
  double sum = 0.0;
  for (float& value : values) {
    value = std::exp(value - largest);
    sum += static_cast<double>(value);
  }
  for (float& value : values) value = static_cast<float>(static_cast<double>(value) / sum);
}

float logistic(float value) {
  return 1.0F / (1.0F + std::exp(-value));
}

/// One output tells two names apart: it is the second one's probability.
std::vector<float> with_both_names(const std::vector<float>& seconds) {
  std::vector<float> both;
  both.reserve(2 * seconds.size());
  for (const float second : seconds) both.insert(both.end(), {1.0F - second, second});
  return both;
}

}  // namespace

Scores scores_of(const Tensor& output, const TaskContract& contract) {
  if (output.shape.empty()) throw Error(ErrorCode::invalid_data, "the model's output has no batch dimension");
  const std::span<const float> floats = output.floats();
  Scores scores{static_cast<std::size_t>(output.shape.front()), {floats.begin(), floats.end()}};
  std::vector<float>& values = scores.values;
  if (scores.examples > 0 && values.empty())
    throw Error(ErrorCode::invalid_data, "the model's output has no values");
  const std::size_t classes = contract.labels.size();
  if (classes == 0 || scores.examples == 0) return scores;
  const std::size_t each = values.size() / scores.examples;
  if (contract.loss == Loss::cross_entropy && each % classes == 0) {
    for (std::size_t i = 0; i < values.size(); i += classes) softmax(std::span(values).subspan(i, classes));
  } else if (contract.loss == Loss::bce_with_logits) {
    std::transform(values.begin(), values.end(), values.begin(), logistic);
    if (each == 1 && classes == 2) values = with_both_names(values);
  }
  return scores;
}

std::string_view likeliest(std::span<const float> scores, const TaskContract& contract) {
  const auto is_number = [](float score) { return std::isfinite(score); };
  if (scores.empty() || scores.size() != contract.labels.size()) return {};
  if (!std::all_of(scores.begin(), scores.end(), is_number)) return {};
  const auto best = std::max_element(scores.begin(), scores.end());
  return contract.labels[static_cast<std::size_t>(best - scores.begin())];
}

}  // namespace fl
