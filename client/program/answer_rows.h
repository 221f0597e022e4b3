#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <ostream>
#include <string>

#include "client/include/fl/device.h"
#include "client/program/batches.h"
#include "common/model/contract.h"
#include "common/program/text_table.h"

namespace fl::program {

/// Writes answers as they come: to stdout as a table or, with JSON, an object a line; to a file as CSV or
/// JSON lines. A file appears, or is replaced, only when finish() has come.
class AnswerRows {
 public:
  /// Throws Error where `file` cannot be written.
  AnswerRows(const std::optional<std::filesystem::path>& file, bool as_json);
  AnswerRows(const AnswerRows&) = delete;
  AnswerRows& operator=(const AnswerRows&) = delete;
  ~AnswerRows();

  void add(const PlacedExample& placed, const Prediction& answer, const TaskContract& contract);
  /// Throws Error where not everything could be written.
  void finish();

 private:
  void write(const std::string& text);

  std::optional<std::filesystem::path> file_;
  std::filesystem::path temporary_;
  bool as_json_;
  TextTable table_;
  std::ofstream stream_;
  bool begun_ = false;
  bool finished_ = false;
};

}  // namespace fl::program
