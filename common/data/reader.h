#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/model/contract.h"
#include "common/model/examples.h"

namespace fl {

/// Whether every example must come with what the model should say of it.
enum class LabelPolicy : std::uint8_t {
  required,  ///< To learn from, or to test on.
  optional,  ///< To predict: files without labels give examples without targets.
};

/// Whether the example came with its target; where not, Example::target has no elements.
inline bool has_target(const Example& example) {
  return !example.target.data.empty();
}

/// Examples one after the other, in the memory of a few, however large the files are. One thread at a time.
class ExampleReader {
 public:
  virtual ~ExampleReader() = default;

  /// The next example; nothing after the last. Throws Error(invalid_data) naming file, line or position, what
  /// is there and what was expected; the reader is then of no further use.
  virtual std::optional<Example> next() = 0;

  /// How far into which file the reader is: "walk.csv:77", "images.idx: image 12".
  virtual std::string where() const = 0;
};

/// Reads `files`, in their order, as examples of the task.
///
/// windows  One or more CSV files with a first row of column names, those the contract does not name ignored.
///          A window lies within one file; windows begin every `step` samples, and samples that fill no
///          window are left out. Input: [columns, window]. The label of a window is the one most of its
///          samples have, of several such the one first in the contract; a target value is the mean of its
///          samples'.
/// table    The same files, one example a row. Input: [columns].
/// images   IDX files as MNIST has them, unpacked: as many image files as label files, paired in their order.
///          Input: [1, height, width], from 0 to 1.
/// text     Each file is cut into pieces of `length` characters of the alphabet, one after the other without
///          overlap; the target of a piece is the character after it. Other characters are left out. There
///          are always targets. Input: [length], int64.
///
/// Targets are as TargetCodec says. A label column, or a label file, that is there is read under either
/// policy.
///
/// Throws Error(not_found, permission_denied) or Error(invalid_argument) for a file that is missing or a
/// folder, before any is read; and Error(invalid_argument) if the contract is not valid, or its model takes
/// several inputs or gives what one label cannot be held against: such examples come from a program.
std::unique_ptr<ExampleReader> open_examples(const std::vector<std::filesystem::path>& files,
                                             const TaskContract& contract,
                                             LabelPolicy labels = LabelPolicy::required);

/// What to say where `files` hold not one example: Error(invalid_data) naming them and, of windows, how many
/// rows each has and how many a window takes.
Error no_examples_in(const std::vector<std::filesystem::path>& files, const TaskContract& contract);

/// Every example of `files` in memory.
std::vector<Example> read_examples(const std::vector<std::filesystem::path>& files,
                                   const TaskContract& contract, LabelPolicy labels = LabelPolicy::required);

}  // namespace fl
