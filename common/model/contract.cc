#include "common/model/contract.h"

#include <algorithm>
#include <unordered_set>

#include "common/base/error.h"
#include "common/model/data_contract_check.h"
#include "common/model/names.h"

namespace fl {
namespace {

constexpr names::Table<Loss, 4> losses{{{Loss::cross_entropy, "cross_entropy"},
                                        {Loss::mse, "mse"},
                                        {Loss::bce_with_logits, "bce_with_logits"},
                                        {Loss::own, "own"}}};

constexpr names::Table<DataFormat, 4> formats{{{DataFormat::windows, "windows"},
                                               {DataFormat::table, "table"},
                                               {DataFormat::images, "images"},
                                               {DataFormat::text, "text"}}};

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_argument, sentence);
}

void check_shape(const Shape& shape, const std::string& what) {
  if (shape.empty() || shape.size() > model_limits::dimensions || shape.front() != -1) {
    refuse(what + " has the shape " + describe(shape) + ", it must have 1 to " +
           std::to_string(model_limits::dimensions) + " dimensions and the first, the batch, must be -1");
  }
  std::int64_t elements = 1;
  for (auto dimension = shape.begin() + 1; dimension != shape.end(); ++dimension) {
    if (*dimension == -1) continue;
    if (*dimension < 1 || *dimension > model_limits::example_elements / elements) {
      refuse(what + " has the shape " + describe(shape) +
             ", its dimensions must be -1 or positive, with at most " +
             std::to_string(model_limits::example_elements) + " elements for one example");
    }
    elements *= *dimension;
  }
}

void check_spec(const TensorSpec& spec, const std::string& kind) {
  const std::string what = "the " + kind + " " + in_quotes(spec.name);
  const std::string fault = names::name_fault(spec.name);
  if (!fault.empty()) refuse("the name of " + what + " " + fault);
  check_shape(spec.shape, what);
}

void check_specs(const std::vector<TensorSpec>& specs, const std::string& kind) {
  if (specs.empty() || specs.size() > model_limits::inputs) {
    refuse("there are " + std::to_string(specs.size()) + " " + kind + "s, there must be 1 to " +
           std::to_string(model_limits::inputs));
  }
  std::unordered_set<std::string> seen;
  for (const TensorSpec& spec : specs) {
    check_spec(spec, kind);
    if (!seen.insert(spec.name).second) {
      refuse("the name of the " + kind + " " + in_quotes(spec.name) + " is there twice");
    }
  }
}

void check_each_label(const std::vector<std::string>& labels) {
  if (labels.size() > model_limits::labels) {
    refuse("there are " + std::to_string(labels.size()) + " labels, at most " +
           std::to_string(model_limits::labels) + " are allowed");
  }
  std::unordered_set<std::string> seen;
  for (const std::string& label : labels) {
    const std::string fault = names::label_fault(label);
    if (!fault.empty()) refuse("the label " + in_quotes(label) + " " + fault);
    if (!seen.insert(label).second) refuse("the label " + in_quotes(label) + " is there twice");
  }
}

void check_class_labels(const TensorSpec& output, std::size_t labels) {
  if (labels < 2) {
    refuse("the loss cross_entropy needs at least 2 labels, there " +
           std::string(labels == 0 ? "are none" : "is 1"));
  }
  if (output.shape.size() < 2 || output.shape.back() != static_cast<std::int64_t>(labels)) {
    refuse("the output " + in_quotes(output.name) + " has the shape " + describe(output.shape) +
           ", with the loss cross_entropy and " + std::to_string(labels) +
           " labels its last dimension must be " + std::to_string(labels));
  }
}

void check_yes_or_no_labels(const TensorSpec& output, std::size_t labels) {
  if (labels == 0) return;
  const std::int64_t answers = output.shape.size() < 2 ? 1 : output.shape.back();
  const std::int64_t wanted = answers == 1 ? 2 : answers;
  if (static_cast<std::int64_t>(labels) != wanted) {
    refuse("there are " + std::to_string(labels) + " labels, the loss bce_with_logits with the output " +
           in_quotes(output.name) + " of shape " + describe(output.shape) + " takes none" +
           (wanted > 0 ? " or " + std::to_string(wanted) : ""));
  }
}

void check_loss(const TaskContract& contract) {
  check_each_label(contract.labels);
  if (contract.loss == Loss::own) return;
  for (const TensorSpec& output : contract.outputs) {
    if (output.datatype != Datatype::fp32) {
      refuse("the output " + in_quotes(output.name) + " is " + std::string(name(output.datatype)) +
             ", with the loss " + std::string(name(contract.loss)) + " it must be FP32");
    }
  }
  const std::size_t labels = contract.labels.size();
  if (contract.loss == Loss::cross_entropy) check_class_labels(contract.outputs.front(), labels);
  if (contract.loss == Loss::bce_with_logits) check_yes_or_no_labels(contract.outputs.front(), labels);
  if (contract.loss == Loss::mse && labels != 0) {
    refuse("there are " + std::to_string(labels) + " labels, the loss mse takes none");
  }
}

}  // namespace

std::string_view name(Loss loss) {
  return names::find_name(losses, loss);
}

Loss loss_from_name(std::string_view name) {
  return names::find_value(losses, "loss", name);
}

std::string_view name(DataFormat format) {
  return names::find_name(formats, format);
}

DataFormat data_format_from_name(std::string_view name) {
  return names::find_value(formats, "data format", name);
}

void TaskContract::validate() const {
  check_specs(inputs, "input");
  check_specs(outputs, "output");
  check_loss(*this);
  if (inputs.size() == 1) check_data(*this);
}

}  // namespace fl
