#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "client/include/fl/device.h"
#include "client/program/batches.h"
#include "common/base/files.h"
#include "common/model/contract.h"
#include "common/program/text_table.h"

namespace fl::client {

/// Writes answers as they come: to stdout as a table or, with JSON, an object a line; to a file as CSV or
/// JSON lines. A file appears, or is replaced, only when finish() has come.
class AnswerRows {
 public:
  /// Throws Error where `file` cannot be written, or is there and no regular file.
  AnswerRows(const std::optional<std::filesystem::path>& file, bool as_json);

  void add(const PlacedExample& placed, const Prediction& answer, const TaskContract& contract);
  /// Throws Error where not everything could be written.
  void finish();

 private:
  void write(const std::string& text);
  void flush();

  std::optional<FileDraft> file_;
  bool as_json_;
  program::TextTable table_;
  std::string unwritten_;
  bool begun_ = false;
};

}  // namespace fl::client
