#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/data/csv.h"
#include "common/data/features.h"
#include "common/data/reader.h"
#include "common/data/targets.h"

namespace fl {

/// The rows of CSV files, one file after the other, as features and a label: what windows and tables have in
/// common. One file is open at a time. One thread at a time.
class LabelledRows {
 public:
  /// Throws Error(invalid_argument) as TargetCodec does.
  LabelledRows(std::vector<std::filesystem::path> files, const TaskContract& contract, LabelPolicy labels);

  /// Goes to the next row; false after the last of the last file. Throws Error as CsvReader does, and
  /// Error(invalid_data) naming a column that the file has not, or file, line and column of a wrong value.
  bool next();

  /// Whether the present row is the first of its file.
  bool begins_file() const { return begins_file_; }
  /// Its features, in the contract's order and scaled.
  std::span<const float> features() const { return features_; }
  /// Its label or value; nothing where the file has none.
  std::optional<double> target() const { return target_; }
  const TargetCodec& codec() const { return codec_; }
  /// "walk.csv:17"
  std::string where() const;

 private:
  void open_next_file();

  std::vector<std::filesystem::path> files_;
  DataContract contract_;
  LabelPolicy labels_;
  TargetCodec codec_;
  std::size_t opened_ = 0;  // of files_
  std::optional<CsvReader> rows_;
  std::optional<FeatureColumns> columns_;
  std::optional<std::size_t> label_;
  bool begins_file_ = false;
  std::vector<float> features_;
  std::optional<double> target_;
};

}  // namespace fl
