#include "tests/unit/client/linear_engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

#include "common/base/error.h"

namespace fl::test {
namespace {

struct Size {
  std::int64_t inputs = 0;
  std::int64_t classes = 0;
  std::size_t count() const { return static_cast<std::size_t>(inputs * classes + classes); }
};

class LinearModel final : public Model {
 public:
  LinearModel(const LinearEngine& engine, Size size, Weights weights)
      : engine_(engine),
        size_(size),
        layout_(linear_layout(size.inputs, size.classes)),
        weights_(std::move(weights)) {}

  const Layout& layout() const override { return layout_; }
  std::span<float> weights() override { return weights_; }

  void try_out() override {
    const std::vector<float> ones(static_cast<std::size_t>(size_.inputs), 1.0F);
    for (const float logit : logits_of(ones)) {
      if (!std::isfinite(logit)) throw Error(ErrorCode::invalid_data, "its answer to ones is not finite");
    }
  }

  std::vector<Tensor> predict(std::span<const TensorView> inputs) override {
    if (engine_.on_predict) engine_.on_predict();
    if (inputs.size() != 1 || inputs.front().datatype != Datatype::fp32 || inputs.front().shape.size() != 2 ||
        inputs.front().shape[1] != size_.inputs) {
      throw Error(ErrorCode::invalid_argument, "the input does not fit");
    }
    const auto count = static_cast<std::size_t>(inputs.front().shape.front());
    std::vector<float> values(count * static_cast<std::size_t>(size_.inputs));
    std::memcpy(values.data(), inputs.front().data.data(), inputs.front().data.size());
    std::vector<float> logits;
    for (std::size_t i = 0; i < count; ++i) {
      const std::vector<float> row = logits_of(example(values, i));
      logits.insert(logits.end(), row.begin(), row.end());
    }
    return {make_tensor(logits, {static_cast<std::int64_t>(count), size_.classes})};
  }

  TrainingResult train(const Examples& examples, const TrainingPlan& plan, const TrainingSession& session,
                       const ProgressCallback& progress) override {
    if (engine_.on_train) engine_.on_train(plan);
    TrainingResult result;
    const std::span<const float> inputs = examples.inputs.front().floats();
    const std::span<const std::int64_t> targets = examples.targets.integers();
    const std::uint64_t steps = std::uint64_t{plan.epochs} + plan.steps;
    for (std::uint64_t step = 1; step <= steps; ++step) {
      if (engine_.on_step) engine_.on_step(step);
      for (std::size_t i = 0; i < targets.size(); ++i) {
        descend(example(inputs, i), targets[i], static_cast<float>(plan.learning_rate));
      }
      for (std::size_t i = 0; i < session.correction.size(); ++i) {
        weights_[i] -= static_cast<float>(plan.learning_rate) * session.correction[i];
      }
      result.steps = step;
      if (!progress({step, steps, 0.5})) {
        result.cancelled = true;
        break;
      }
    }
    result.loss = evaluate(examples).loss;
    return result;
  }

  Evaluation evaluate(const Examples& examples) override {
    Evaluation evaluation{.examples = examples.count(), .loss = 0.0, .accuracy = std::nullopt};
    if (evaluation.examples == 0) return evaluation;
    std::size_t right = 0;
    for (std::size_t i = 0; i < examples.count(); ++i) {
      const auto target = static_cast<std::size_t>(examples.targets.integers()[i]);
      const std::vector<float> p = probabilities(example(examples.inputs.front().floats(), i));
      evaluation.loss -= std::log(static_cast<double>(p[target]));
      right += static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin()) == target ? 1U : 0U;
    }
    evaluation.loss /= static_cast<double>(evaluation.examples);
    evaluation.accuracy = static_cast<double>(right) / static_cast<double>(evaluation.examples);
    return evaluation;
  }

  Bytes save() const override { return linear_archive(size_.inputs, size_.classes, weights_); }

 private:
  std::span<const float> example(std::span<const float> values, std::size_t index) const {
    const auto each = static_cast<std::size_t>(size_.inputs);
    return values.subspan(index * each, each);
  }

  std::vector<float> logits_of(std::span<const float> x) const {
    std::vector<float> logits(static_cast<std::size_t>(size_.classes));
    for (std::size_t c = 0; c < logits.size(); ++c) {
      logits[c] = weights_[static_cast<std::size_t>(size_.inputs * size_.classes) + c];
      for (std::size_t k = 0; k < x.size(); ++k) logits[c] += weights_[c * x.size() + k] * x[k];
    }
    return logits;
  }

  std::vector<float> probabilities(std::span<const float> x) const {
    std::vector<float> p = logits_of(x);
    const float largest = *std::max_element(p.begin(), p.end());
    float sum = 0.0F;
    for (float& value : p) sum += value = std::exp(value - largest);
    for (float& value : p) value /= sum;
    return p;
  }

  void descend(std::span<const float> x, std::int64_t target, float rate) {
    const std::vector<float> p = probabilities(x);
    for (std::size_t c = 0; c < p.size(); ++c) {
      const float gradient = p[c] - (c == static_cast<std::size_t>(target) ? 1.0F : 0.0F);
      weights_[static_cast<std::size_t>(size_.inputs * size_.classes) + c] -= rate * gradient;
      for (std::size_t k = 0; k < x.size(); ++k) weights_[c * x.size() + k] -= rate * gradient * x[k];
    }
  }

  const LinearEngine& engine_;
  Size size_;
  Layout layout_;
  Weights weights_;
};

}  // namespace

std::unique_ptr<Model> LinearEngine::open(ByteView archive, const TaskContract&) {
  if (on_open) on_open();
  const std::string text(as_text(archive));
  const std::size_t end = text.find('\n');
  std::istringstream header(text.substr(0, end));
  std::string kind;
  Size size;
  header >> kind >> size.inputs >> size.classes;
  if (kind != "linear" || end == std::string::npos || text.size() - end - 1 != size.count() * sizeof(float)) {
    throw Error(ErrorCode::invalid_data, "this is no archive");
  }
  Weights weights(size.count());
  std::memcpy(weights.data(), text.data() + end + 1, weights.size() * sizeof(float));
  ++opened;
  return std::make_unique<LinearModel>(*this, size, std::move(weights));
}

Bytes LinearEngine::build(const Architecture& architecture, std::uint64_t) {
  const Size size{architecture.input_shape.at(0), architecture.outputs};
  return linear_archive(size.inputs, size.classes, Weights(size.count(), 0.0F));
}

TaskContract linear_contract(std::int64_t inputs, std::int64_t classes) {
  TaskContract contract;
  contract.inputs = {{"x", Datatype::fp32, {-1, inputs}}};
  contract.outputs = {{"y", Datatype::fp32, {-1, classes}}};
  contract.loss = Loss::cross_entropy;
  for (std::int64_t c = 0; c < classes; ++c) contract.labels.push_back("c" + std::to_string(c));
  contract.data.format = DataFormat::table;
  for (std::int64_t k = 0; k < inputs; ++k) contract.data.columns.push_back("x" + std::to_string(k));
  contract.data.label = "label";
  return contract;
}

Weights weights_favouring(std::int64_t inputs, std::int64_t classes, std::int64_t favourite) {
  Weights weights(Size{inputs, classes}.count(), 0.0F);
  weights[static_cast<std::size_t>(inputs * classes + favourite)] = 10.0F;
  return weights;
}

Bytes linear_archive(std::int64_t inputs, std::int64_t classes, std::span<const float> weights) {
  const std::string header = "linear " + std::to_string(inputs) + " " + std::to_string(classes) + "\n";
  const ByteView text = as_bytes(header);
  Bytes archive(text.begin(), text.end());
  const ByteView floats = as_bytes(weights);
  archive.insert(archive.end(), floats.begin(), floats.end());
  return archive;
}

Layout linear_layout(std::int64_t inputs, std::int64_t classes) {
  Layout layout;
  layout.add("weight", Datatype::fp32, {classes, inputs}, Role::trained);
  layout.add("bias", Datatype::fp32, {classes}, Role::trained);
  return layout;
}

}  // namespace fl::test
