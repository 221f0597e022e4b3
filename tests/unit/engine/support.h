#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/engine/engine_module.h"

namespace fl::test {

/// Loaded once for a test program: the first time takes half a second.
inline Engine& engine() {
  static const std::shared_ptr<Engine> loaded = load_engine();
  return *loaded;
}

/// One fp32 input "x" with the batch before `shape`.
inline TaskContract contract_for(Loss loss, Shape shape, std::size_t labels = 0) {
  TaskContract contract;
  shape.insert(shape.begin(), -1);
  contract.inputs = {{"x", Datatype::fp32, std::move(shape)}};
  contract.loss = loss;
  for (std::size_t i = 0; i < labels; ++i) contract.labels.push_back("class " + std::to_string(i));
  return contract;
}

/// Standard normal inputs of `shape`, whose first dimension is the number of examples.
inline Tensor normal_inputs(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(element_count(shape));
  for (float& value : values) value = static_cast<float>(random.normal());
  return make_tensor(std::span<const float>(values), shape);
}

/// Classes that can be learnt: 0 or 1 by the sign of the sum of an example's values.
inline Examples two_classes(const Shape& shape, std::uint64_t seed) {
  Examples examples;
  examples.inputs = {normal_inputs(shape, seed)};
  const std::span<const float> values = examples.inputs.front().floats();
  const auto count = static_cast<std::size_t>(shape.front());
  const std::size_t width = values.size() / count;
  std::vector<std::int64_t> classes(count);
  for (std::size_t i = 0; i < count; ++i) {
    float sum = 0.0F;
    for (const float value : values.subspan(i * width, width)) sum += value;
    classes[i] = sum > 0.0F ? 1 : 0;
  }
  examples.targets = make_tensor(std::span<const std::int64_t>(classes), {shape.front()});
  return examples;
}

inline std::vector<float> copy_of(std::span<const float> values) {
  return {values.begin(), values.end()};
}

/// A plan of plain SGD.
inline TrainingPlan plain_plan(std::uint32_t epochs, std::uint32_t batch_size, double learning_rate) {
  TrainingPlan plan;
  plan.epochs = epochs;
  plan.batch_size = batch_size;
  plan.learning_rate = learning_rate;
  return plan;
}

}  // namespace fl::test
