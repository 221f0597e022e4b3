#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/data/labelled_rows.h"
#include "common/data/reader.h"
#include "common/data/window_cutter.h"

namespace fl {

/// DataFormat::windows, as open_examples() says.
class WindowsReader final : public ExampleReader {
 public:
  WindowsReader(std::vector<std::filesystem::path> files, const TaskContract& contract, LabelPolicy labels);

  std::optional<Example> next() override;
  std::string where() const override { return rows_.where(); }

 private:
  Example window() const;

  LabelledRows rows_;
  WindowCutter cutter_;
};

}  // namespace fl
