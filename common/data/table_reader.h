#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/data/labelled_rows.h"
#include "common/data/reader.h"

namespace fl {

/// DataFormat::table, as open_examples() says.
class TableReader final : public ExampleReader {
 public:
  TableReader(std::vector<std::filesystem::path> files, const TaskContract& contract, LabelPolicy labels)
      : rows_(std::move(files), contract, labels) {}

  std::optional<Example> next() override;
  std::string where() const override { return rows_.where(); }

 private:
  LabelledRows rows_;
};

}  // namespace fl
