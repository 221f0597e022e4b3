#include "client/program/answer_rows.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "common/base/bytes.h"

namespace fl::client {
namespace {

using program::Cell;

constexpr std::size_t write_bytes = std::size_t{64} << 10U;

/// A field of a CSV row (RFC 4180).
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_row(const std::vector<Cell>& cells) {
  std::string row;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) row += ',';
    if (const auto* text = std::get_if<std::string>(&cells[i])) row += csv_field(*text);
    if (const auto* whole = std::get_if<std::int64_t>(&cells[i])) row += std::to_string(*whole);
    if (const auto* real = std::get_if<double>(&cells[i])) row += std::to_string(*real);
  }
  return row + "\n";
}

/// What the file says of the example, in the words of the task.
Cell expected(const Example& example, const TaskContract& contract) {
  if (!has_target(example)) return {};
  const Tensor& target = example.target;
  if (target.datatype == Datatype::int64) {
    const auto number = static_cast<std::size_t>(target.integers().front());
    if (number < contract.labels.size()) return contract.labels[number];
    return target.integers().front();
  }
  const std::span<const float> values = target.floats();
  if (values.size() == contract.labels.size()) {
    const auto one = std::max_element(values.begin(), values.end());
    return contract.labels[static_cast<std::size_t>(one - values.begin())];
  }
  if (values.size() == 1 && contract.labels.size() == 2)
    return contract.labels[values.front() > 0.5F ? 1 : 0];
  return static_cast<double>(values.front());
}

std::vector<Cell> cells_of(const PlacedExample& placed, const Prediction& answer,
                           const TaskContract& contract) {
  const bool labelled = !answer.label.empty();
  Cell score;
  if (!answer.scores.empty()) {
    score = static_cast<double>(labelled ? *std::max_element(answer.scores.begin(), answer.scores.end())
                                         : answer.scores.front());
  }
  return {placed.where, labelled ? Cell(answer.label) : Cell(), score, expected(placed.example, contract),
          static_cast<std::int64_t>(answer.version)};
}

}  // namespace

AnswerRows::AnswerRows(const std::optional<std::filesystem::path>& file, bool as_json)
    : as_json_(as_json),
      table_({{.name = "at", .width = 28},
              {.name = "answer", .width = 14},
              {.name = "score", .width = 8},
              {.name = "expected", .width = 14},
              {.name = "version"}}) {
  if (file) file_.emplace(*file);
}

void AnswerRows::write(const std::string& text) {
  if (!file_) {
    std::cout << text;
    return;
  }
  unwritten_ += text;
  if (unwritten_.size() >= write_bytes) flush();
}

void AnswerRows::flush() {
  file_->write(as_bytes(std::exchange(unwritten_, {})));
}

void AnswerRows::add(const PlacedExample& placed, const Prediction& answer, const TaskContract& contract) {
  const std::vector<Cell> cells = cells_of(placed, answer, contract);
  if (!begun_ && !as_json_) write(file_ ? "at,answer,score,expected,version\n" : table_.heading());
  begun_ = true;
  write(as_json_ ? table_.row_json(cells) : file_ ? csv_row(cells) : table_.row_text(cells));
}

void AnswerRows::finish() {
  if (!file_) return;
  flush();
  file_->commit();
}

}  // namespace fl::client
