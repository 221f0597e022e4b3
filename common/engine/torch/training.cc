#include "common/engine/torch/training.h"

#include <cmath>
#include <limits>
#include <numeric>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/engine/torch/batches.h"
#include "common/engine/torch/feed.h"
#include "common/engine/torch/objective.h"
#include "common/engine/torch/optimizer.h"
#include "common/engine/torch/random_draws.h"
#include "common/model/finite.h"

namespace fl::libtorch {
namespace {

/// Fixed, because the bits of a mean depend on how it is cut into batches.
constexpr std::size_t evaluation_batch = 128;

/// The part of a session's seed that its model draws from; epochs, which start at 1, shuffle with others.
constexpr std::uint64_t draws_part = 0;

/// A running mean over examples.
struct Mean {
  double sum = 0.0;
  double count = 0.0;

  void add(double mean, std::size_t examples) {
    sum += mean * static_cast<double>(examples);
    count += static_cast<double>(examples);
  }
  double value() const { return count > 0.0 ? sum / count : 0.0; }
};

/// One call of train.
class Session {
 public:
  Session(Binding& binding, Loss loss, const Examples& examples, const TrainingPlan& plan,
          const TrainingSession& session)
      : binding_(binding),
        loss_(loss),
        plan_(plan),
        start_(binding.weights().begin(), binding.weights().end()),
        batches_(examples.count(), plan.batch_size, session.seed),
        feed_(examples, batches_.largest()),
        draws_(derive_seed(session.seed, draws_part)),
        optimizer_(plan, plan.learning_rate_at(session.round), binding.trained(),
                   std::span<const float>(start_).first(binding.trained().size()), session.correction) {}

  TrainingResult run(const ProgressCallback& progress);
  /// Puts the weights back to what they were.
  void undo();

 private:
  double train_batch(std::span<const std::int64_t> numbers);
  void step();

  Binding& binding_;
  Loss loss_;
  TrainingPlan plan_;
  Weights start_;
  Batches batches_;
  Feed feed_;
  RandomDraws draws_;
  FlatOptimizer optimizer_;
  std::vector<at::Tensor> held_;  // the gradients, while a step goes by them
  std::vector<Gradient> gradients_;
};

TrainingResult Session::run(const ProgressCallback& progress) {
  TrainingProgress state;
  state.steps = plan_.steps > 0 ? plan_.steps : plan_.epochs * std::uint64_t{batches_.per_epoch()};
  TrainingResult result;
  Mean mean;
  while (result.steps < state.steps && !result.cancelled) {
    const std::span<const std::int64_t> numbers = batches_.next();
    if (plan_.steps == 0 && batches_.at_epoch_start()) mean = Mean();
    state.loss = train_batch(numbers);
    mean.add(state.loss, numbers.size());
    state.step = ++result.steps;
    if (!std::isfinite(state.loss)) {
      throw Error(ErrorCode::invalid_data,
                  "the loss became " + std::to_string(state.loss) + " at step " + std::to_string(state.step) +
                      "; lower the learning rate or look for bad values in the examples");
    }
    const bool go_on = !progress || progress(state);
    result.cancelled = !go_on && result.steps < state.steps;
  }
  result.loss = mean.value();
  return result;
}

double Session::train_batch(std::span<const std::int64_t> numbers) {
  feed_.load(numbers);
  at::Tensor loss;
  draws_.run([&] { loss = mean_loss(binding_.module(), loss_, feed_.inputs(), feed_.target()); });
  if (!loss.requires_grad()) {
    throw Error(ErrorCode::invalid_data, "the loss does not depend on any trained parameter");
  }
  loss.backward();
  step();
  return loss.item<double>();
}

/// The gradients are taken from the tensors, so that the next backward pass need not add to them.
void Session::step() {
  gradients_.clear();
  for (const at::Tensor& parameter : binding_.parameters()) {
    at::Tensor& gradient = parameter.mutable_grad();
    const auto count = static_cast<std::size_t>(parameter.numel());
    if (!gradient.defined()) {
      gradients_.push_back({count, nullptr});
      continue;
    }
    held_.push_back(gradient.is_sparse() ? gradient.to_dense() : gradient.contiguous());
    gradient.reset();
    gradients_.push_back({count, held_.back().data_ptr<float>()});
  }
  optimizer_.step(gradients_);
  held_.clear();
}

void Session::undo() {
  binding_.restore(start_);
  for (const at::Tensor& parameter : binding_.parameters()) parameter.mutable_grad().reset();
}

void refuse_infinite(std::span<const float> weights) {
  if (first_outside(weights, std::numeric_limits<float>::max())) {
    throw Error(ErrorCode::invalid_data, "training made a weight infinite or NaN; lower the learning rate");
  }
}

}  // namespace

TrainingResult train(Binding& binding, Loss loss, const Examples& examples, const TrainingPlan& plan,
                     const TrainingSession& session, const ProgressCallback& progress) {
  const at::AutoGradMode gradients(true);
  binding.begin_training();
  Session run(binding, loss, examples, plan, session);
  try {
    const TrainingResult result = run.run(progress);
    binding.end_training();
    refuse_infinite(binding.weights());
    return result;
  } catch (...) {
    run.undo();
    throw;
  }
}

Evaluation evaluate(Binding& binding, Loss loss, const Examples& examples, const Trial& trial) {
  const at::NoGradGuard no_gradient;
  const Binding::Evaluating evaluating(binding, trial.changes_weights);
  RandomDraws draws(answers_seed, trial.draws);
  std::vector<std::int64_t> numbers(examples.count());
  std::iota(numbers.begin(), numbers.end(), 0);
  Feed feed(examples, std::min(evaluation_batch, numbers.size()));
  Mean mean;
  Score total;
  for (std::size_t begin = 0; begin < numbers.size(); begin += evaluation_batch) {
    const std::size_t count = std::min(evaluation_batch, numbers.size() - begin);
    feed.load(std::span<const std::int64_t>(numbers).subspan(begin, count));
    Score batch;
    draws.run([&] { batch = score(binding.module(), loss, feed.inputs(), feed.target()); });
    mean.add(batch.loss, count);
    total.right += batch.right;
    total.answers += batch.answers;
  }
  Evaluation result;
  result.examples = examples.count();
  result.loss = mean.value();
  if (total.answers > 0.0) result.accuracy = total.right / total.answers;
  return result;
}

}  // namespace fl::libtorch
