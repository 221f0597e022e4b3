#include "client/sdk/answers.h"

#include "common/model/scores.h"

namespace fl::client {

std::vector<Prediction> answers_from(const Tensor& output, const TaskContract& contract,
                                     std::uint64_t version) {
  const Scores scores = scores_of(output, contract);
  std::vector<Prediction> answers(scores.examples);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const std::span<const float> own = scores.of(i);
    answers[i] = {version, std::string(likeliest(own, contract)), {own.begin(), own.end()}};
  }
  return answers;
}

}  // namespace fl::client
