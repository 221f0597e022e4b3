#include "common/data/reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/error.h"
#include "common/data/idx_reader.h"
#include "common/data/input_file.h"
#include "common/data/labelled_rows.h"
#include "common/data/table_reader.h"
#include "common/data/text_reader.h"
#include "common/data/windows_reader.h"

namespace fl {
namespace {

constexpr std::size_t most_named = 3;

// Opening a pipe would wait for its writer and take what it writes.
void require_readable(const std::filesystem::path& path) {
  std::error_code unknown;
  if (!std::filesystem::is_fifo(path, unknown)) InputFile{path};
}

std::size_t rows_in(const std::filesystem::path& file, const TaskContract& contract) {
  LabelledRows rows({file}, contract, LabelPolicy::optional);
  std::size_t count = 0;
  while (rows.next()) ++count;
  return count;
}

}  // namespace

std::unique_ptr<ExampleReader> open_examples(const std::vector<std::filesystem::path>& files,
                                             const TaskContract& contract, LabelPolicy labels) {
  if (files.empty()) throw Error(ErrorCode::invalid_argument, "no files to read examples from were named");
  contract.validate();
  if (contract.inputs.size() != 1) {
    throw Error(ErrorCode::invalid_argument, "the model takes " + std::to_string(contract.inputs.size()) +
                                                 " inputs, examples read from files have one");
  }
  for (const auto& file : files) require_readable(file);
  switch (contract.data.format) {
    case DataFormat::windows:
      return std::make_unique<WindowsReader>(files, contract, labels);
    case DataFormat::table:
      return std::make_unique<TableReader>(files, contract, labels);
    case DataFormat::images:
      return std::make_unique<IdxReader>(files, contract, labels);
    case DataFormat::text:
      return std::make_unique<TextReader>(files, contract);
  }
  throw Error(ErrorCode::internal, "a data format without a reader");
}

Error no_examples_in(const std::vector<std::filesystem::path>& files, const TaskContract& contract) {
  const bool windows = contract.data.format == DataFormat::windows;
  std::string named;
  for (std::size_t i = 0; i < std::min(files.size(), most_named); ++i) {
    named += (named.empty() ? "" : ", ") + files[i].string();
    if (windows && std::filesystem::is_regular_file(files[i])) {
      named += " (" + std::to_string(rows_in(files[i], contract)) + " rows)";
    }
  }
  if (files.size() > most_named) named += " and " + std::to_string(files.size() - most_named) + " more";
  return {
      ErrorCode::invalid_data,
      "there is no example in " + named +
          (windows ? "; a window takes " + std::to_string(contract.data.window) + " rows of one file" : "")};
}

std::vector<Example> read_examples(const std::vector<std::filesystem::path>& files,
                                   const TaskContract& contract, LabelPolicy labels) {
  const auto reader = open_examples(files, contract, labels);
  std::vector<Example> examples;
  while (auto example = reader->next()) examples.push_back(std::move(*example));
  return examples;
}

}  // namespace fl
