#include "common/data/targets.h"

#include <algorithm>
#include <numeric>

#include "common/base/error.h"

namespace fl {
namespace {

constexpr std::size_t listed_labels = 20;

std::size_t count_classes(const TaskContract& contract) {
  if (!contract.labels.empty()) return contract.labels.size();
  return contract.loss == Loss::bce_with_logits ? 2 : 0;
}

std::string one_of(const std::vector<std::string>& labels) {
  std::string text = "one of ";
  for (std::size_t i = 0; i < std::min(labels.size(), listed_labels); ++i) {
    text += (i == 0 ? "" : ", ") + labels[i];
  }
  return labels.size() > listed_labels ? text + ", …" : text;
}

[[noreturn]] void refuse_output(const TaskContract& contract, const Shape& expected) {
  const TensorSpec& output = contract.outputs.front();
  throw Error(ErrorCode::invalid_argument, "the output '" + output.name + "' has the shape " +
                                               describe(output.shape) + ", with the loss " +
                                               std::string(name(contract.loss)) +
                                               " and files that say one label or value of each example " +
                                               describe(expected) + " was expected");
}

}  // namespace

TargetCodec::TargetCodec(const TaskContract& contract)
    : form_(form_for(contract)), labels_(contract.labels), classes_(count_classes(contract)) {
  if (contract.loss == Loss::own || contract.outputs.front().shape.size() > 1) shape_ = {1};
}

TargetCodec::Form TargetCodec::form_for(const TaskContract& contract) {
  const Shape& output = contract.outputs.front().shape;
  const auto labels = static_cast<std::int64_t>(contract.labels.size());
  const bool single = output == Shape{-1, 1} || output == Shape{-1};
  switch (contract.loss) {
    case Loss::own:
      return labels > 0 ? Form::class_number : Form::value;
    case Loss::cross_entropy:
      if (output != Shape{-1, labels}) refuse_output(contract, {-1, labels});
      return Form::class_number;
    case Loss::bce_with_logits:
      if (labels > 2 && output == Shape{-1, labels}) return Form::one_of_several;
      break;
    case Loss::mse:
      break;
  }
  if (!single) refuse_output(contract, {-1, 1});
  return Form::value;
}

double TargetCodec::read(const CsvReader& row, std::size_t column) const {
  if (!labels_.empty()) {
    const auto found = std::find(labels_.begin(), labels_.end(), row.text(column));
    if (found == labels_.end()) row.fail(column, one_of(labels_));
    return static_cast<double>(found - labels_.begin());
  }
  const float value = row.number(column);
  if (classes_ == 2 && value != 0.0F && value != 1.0F) row.fail(column, "0 or 1");
  return value;
}

double TargetCodec::combine(std::span<const double> values) const {
  if (classes_ > 0) return most_frequent(values);
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double TargetCodec::most_frequent(std::span<const double> values) const {
  std::vector<std::size_t> counts(classes_);
  for (const double value : values) ++counts[static_cast<std::size_t>(value)];
  return static_cast<double>(std::max_element(counts.begin(), counts.end()) - counts.begin());
}

Tensor TargetCodec::tensor(double value) const {
  if (form_ == Form::class_number) {
    const auto number = static_cast<std::int64_t>(value);
    return make_tensor(std::span(&number, 1), {});
  }
  if (form_ == Form::value) {
    const auto number = static_cast<float>(value);
    return make_tensor(std::span(&number, 1), shape_);
  }
  std::vector<float> values(classes_);
  values[static_cast<std::size_t>(value)] = 1.0F;
  return make_tensor(std::span<const float>(values), {static_cast<std::int64_t>(classes_)});
}

}  // namespace fl
