#include "common/data/windows_reader.h"

#include <utility>

namespace fl {

WindowsReader::WindowsReader(std::vector<std::filesystem::path> files, const TaskContract& contract,
                             LabelPolicy labels)
    : rows_(std::move(files), contract, labels),
      cutter_(contract.data.columns.size(), static_cast<std::size_t>(contract.data.window),
              static_cast<std::size_t>(contract.data.step)) {}

std::optional<Example> WindowsReader::next() {
  while (rows_.next()) {
    if (rows_.begins_file()) cutter_.restart();
    if (cutter_.push(rows_.features(), rows_.target().value_or(0.0))) return window();
  }
  return std::nullopt;
}

Example WindowsReader::window() const {
  Example example;
  example.inputs.push_back(cutter_.input());
  const TargetCodec& codec = rows_.codec();
  example.target = rows_.target() ? codec.tensor(codec.combine(cutter_.targets())) : TargetCodec::none();
  return example;
}

}  // namespace fl
