#include "client/sdk/answers.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "common/base/error.h"

namespace fl::client {
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

std::vector<float> probabilities(std::span<const float> output, const TaskContract& contract) {
  std::vector<float> scores(output.begin(), output.end());
  const std::size_t classes = contract.labels.size();
  if (classes == 0 || scores.empty()) return scores;
  if (contract.loss == Loss::cross_entropy && scores.size() % classes == 0) {
    for (std::size_t i = 0; i < scores.size(); i += classes) softmax(std::span(scores).subspan(i, classes));
  } else if (contract.loss == Loss::bce_with_logits) {
    std::transform(scores.begin(), scores.end(), scores.begin(), logistic);
    // One output tells two names apart: it is the second one's probability.
    if (scores.size() == 1 && classes == 2) scores.insert(scores.begin(), 1.0F - scores.front());
  }
  return scores;
}

std::string likeliest(const std::vector<float>& scores, const TaskContract& contract) {
  const auto is_number = [](float score) { return std::isfinite(score); };
  if (scores.empty() || scores.size() != contract.labels.size()) return {};
  if (!std::all_of(scores.begin(), scores.end(), is_number)) return {};
  const auto best = std::max_element(scores.begin(), scores.end());
  return contract.labels[static_cast<std::size_t>(best - scores.begin())];
}

}  // namespace

std::vector<Prediction> answers_from(const Tensor& output, const TaskContract& contract,
                                     std::uint64_t version) {
  if (output.shape.empty()) throw Error(ErrorCode::invalid_data, "the model's output has no batch dimension");
  const auto count = static_cast<std::size_t>(output.shape.front());
  const std::span<const float> values = output.floats();
  const std::size_t each = count == 0 ? 0 : values.size() / count;
  std::vector<Prediction> answers(count);
  for (std::size_t i = 0; i < count; ++i) {
    answers[i].version = version;
    answers[i].scores = probabilities(values.subspan(i * each, each), contract);
    answers[i].label = likeliest(answers[i].scores, contract);
  }
  return answers;
}

}  // namespace fl::client
