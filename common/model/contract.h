#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/limits.h"
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
/// Throws Error(invalid_argument) naming the known ones.
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
  std::string alphabet;              ///< text: ASCII characters, numbered from 0; others are left out.
  std::int64_t length = 0;           ///< text: characters in an input.
};

/// What a task's model takes, gives and minimises, and where its examples come from. The part of a
/// manifest that does not change from version to version.
///
/// The loss is taken of the first output. Files can be imported only for models of one input, and only there
/// does `data` have to fit; the examples of a model of several inputs come from the app, and `data` is not
/// looked at.
struct TaskContract {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  Loss loss = Loss::cross_entropy;
  /// Names of what the first output tells apart, in its order.
  ///   cross_entropy: the classes, as many (at least 2) as the output's last dimension.
  ///   mse: none.
  ///   bce_with_logits: none, where targets are the numbers 0 and 1; or, for a last dimension of 1, the two
  ///     names of 0 and of 1; or, for a larger one, a name for each of its independent yes-or-no answers.
  ///   own: none, or any.
  std::vector<std::string> labels;
  DataContract data;

  /// Throws Error(invalid_argument) naming the first field that is beyond limits.h or does not fit the
  /// others, and what would:
  ///   inputs, outputs: at least one of each; names unique among themselves; the first dimension -1, the
  ///     others -1 or positive; outputs FP32 (not asked of `own`).
  ///   labels: as above, unique and not empty.
  ///   data, for a single input: windows FP32 [-1, columns, window], table FP32 [-1, columns], images FP32
  ///     [-1, 1, height, width], text INT64 [-1, length]. Columns unique, not empty, the label none of them;
  ///     scale empty or a finite factor other than 0 for each; window, step, height, width and length
  ///     positive; the alphabet ASCII, no character twice, one label for each, and the loss cross_entropy or
  ///     own. Fields of another format must be left out.
  void validate() const;
};

/// JSON text as stored in manifests (docs/protocol.md lists the keys). Of the data, only its format's fields.
std::string to_json(const TaskContract& contract);
/// Throws Error(invalid_data) naming the key that is missing, unknown or of the wrong kind. Does not
/// validate().
TaskContract task_contract_from_json(std::string_view text);

}  // namespace fl
