#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/tensor.h"

namespace fl {

/// What training minimises. `own` is the archive's method loss(x, y).
enum class Loss : std::uint8_t { cross_entropy, mse, bce_with_logits, own };

std::string_view name(Loss loss);
/// Throws Error(invalid_argument) naming the known ones.
Loss loss_from_name(std::string_view name);

/// The kinds of files examples are imported from.
enum class DataFormat : std::uint8_t {
  windows,  ///< Time series CSV, cut into windows: input [columns, window].
  table,    ///< CSV, one example a row: input [columns].
  images,   ///< IDX image and label files: input [1, height, width], pixels scaled to 0..1.
  text,     ///< Plain text: input [length] of character numbers, target the next character.
};

std::string_view name(DataFormat format);
DataFormat data_format_from_name(std::string_view name);

/// How a device turns files into examples, so that every device of a task does it the same way.
struct DataContract {
  DataFormat format = DataFormat::table;
  std::vector<std::string> columns;  ///< windows, table: the feature columns, in the input's order.
  std::string label;                 ///< windows, table: the column of the label or of the target value.
  std::vector<double> scale;         ///< windows, table: each column is multiplied by its factor; empty: 1.
  std::int64_t window = 0;           ///< windows: samples in a window.
  std::int64_t step = 0;             ///< windows: samples from one window's start to the next one's.
  std::int64_t height = 0;           ///< images
  std::int64_t width = 0;            ///< images
  std::string alphabet;              ///< text: the characters, numbered from 0; others are left out.
  std::int64_t length = 0;           ///< text: characters in an input.
};

/// What a task's model takes, gives and minimises, and where its examples come from. The part of a
/// manifest that does not change from version to version.
struct TaskContract {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  Loss loss = Loss::cross_entropy;
  std::vector<std::string> labels;  ///< Class names in the order of the outputs; empty for regression.
  DataContract data;

  /// Throws Error(invalid_argument) naming the first field that does not fit the others, and what would:
  /// the inputs' shape against the data, the labels against the loss.
  void validate() const;
};

/// JSON text as stored in manifests (docs/protocol.md lists the keys).
std::string to_json(const TaskContract& contract);
/// Throws Error(invalid_data) naming the key that is missing, unknown or of the wrong kind.
TaskContract task_contract_from_json(std::string_view text);

}  // namespace fl
