#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/data/csv.h"
#include "common/model/contract.h"
#include "common/model/tensor.h"

namespace fl {

/// From what a label column holds to an example's target. Classes are numbered in the order of the contract's
/// labels; where it has none, bce_with_logits has the classes 0 and 1, and other values are themselves.
///
/// cross_entropy      int64 [], the number of the class, for an output [-1, classes]
/// bce_with_logits    fp32 [1], 0 or 1, for an output [-1, 1]; fp32 [classes], 1 for the class and 0 for the
///                    others, for an output [-1, classes]
/// mse                fp32 [1], the value, for an output [-1, 1]
/// own                int64 [], the number of the class, with labels; fp32 [1], the value, without
///
/// Where an output is the batch alone, [-1], fp32 targets are [] in place of [1].
class TargetCodec {
 public:
  /// Throws Error(invalid_argument) where one label is no target for the model's first output.
  explicit TargetCodec(const TaskContract& contract);

  /// What column `column` of the present row says. Throws Error(invalid_data) with file and line, and the
  /// labels there are.
  double read(const CsvReader& row, std::size_t column) const;

  /// The value of several samples that are one example: the class most of them have, of several such the one
  /// with the lowest number; the mean where values are not classes.
  double combine(std::span<const double> values) const;

  /// How many classes there are; 0 where values are not classes.
  std::size_t classes() const { return classes_; }
  Tensor tensor(double value) const;
  /// In place of a target that nobody knows: no elements, [0], so that such examples still stack.
  static Tensor none() { return {Datatype::fp32, {0}, {}}; }

 private:
  enum class Form : std::uint8_t { class_number, value, one_of_several };

  static Form form_for(const TaskContract& contract);
  double most_frequent(std::span<const double> values) const;

  Form form_;
  std::vector<std::string> labels_;
  std::size_t classes_;
  Shape shape_;  // of a target that is a value
};

}  // namespace fl
