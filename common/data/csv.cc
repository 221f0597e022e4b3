#include "common/data/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "common/base/error.h"
#include "common/base/text.h"

namespace fl {
namespace {

constexpr std::string_view blanks = " \t";
constexpr std::size_t listed_columns = 20;

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string list_of(const std::vector<std::string>& names) {
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), listed_columns); ++i) {
    list += (i == 0 ? "" : ", ") + in_quotes(names[i]);
  }
  return names.size() > listed_columns ? list + ", …" : list;
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

CsvReader::CsvReader(std::filesystem::path path) : lines_(std::move(path)) {
  if (!next_row()) {
    throw Error(ErrorCode::invalid_data,
                this->path().string() + " is empty, a first row with the names of the columns was expected");
  }
  columns_.assign(fields_.begin(), fields_.begin() + static_cast<std::ptrdiff_t>(field_count_));
}

std::optional<std::size_t> CsvReader::find(std::string_view name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  if (found == columns_.end()) return std::nullopt;
  if (std::find(found + 1, columns_.end(), name) != columns_.end()) {
    throw Error(ErrorCode::invalid_data,
                path().string() + " has two columns called " + in_quotes(name) + ", one was expected");
  }
  return static_cast<std::size_t>(found - columns_.begin());
}

std::size_t CsvReader::require(std::string_view name) const {
  if (const auto column = find(name)) return *column;
  throw Error(ErrorCode::invalid_data, path().string() + " has no column " + in_quotes(name) +
                                           ", its first row names " + list_of(columns_));
}

bool CsvReader::next() {
  if (!next_row()) return false;
  if (field_count_ == columns_.size()) return true;
  throw Error(ErrorCode::invalid_data, where() + ": the row has " + std::to_string(field_count_) +
                                           " fields, the first row names " + std::to_string(columns_.size()) +
                                           " columns");
}

float CsvReader::number(std::size_t column, double scale) const {
  const auto value = parse_number(fields_[column]);
  if (!value) fail(column, "a number");
  const double scaled = *value * scale;
  if (std::abs(scaled) > std::numeric_limits<float>::max()) fail(column, "a number that fits fp32");
  return static_cast<float>(scaled);
}

void CsvReader::fail(std::size_t column, std::string_view expected) const {
  throw Error(ErrorCode::invalid_data, where() + ": column " + columns_[column] + " holds " +
                                           in_quotes(fields_[column]) + ", " + std::string(expected) +
                                           " was expected");
}

bool CsvReader::next_row() {
  while (lines_.next()) {
    if (trimmed(lines_.line()).empty()) continue;
    split(lines_.line());
    return true;
  }
  return false;
}

void CsvReader::split(std::string_view line) {
  field_count_ = 0;
  std::size_t at = 0;
  while (at != std::string_view::npos) at = read_field(line, at);
}

std::string& CsvReader::next_field() {
  if (field_count_ == fields_.size()) fields_.emplace_back();
  std::string& field = fields_[field_count_++];
  field.clear();
  return field;
}

// Returns where the next field begins, npos after the last one.
std::size_t CsvReader::read_field(std::string_view line, std::size_t at) {
  const std::size_t first = std::min(line.find_first_not_of(blanks, at), line.size());
  if (first < line.size() && line[first] == '"') return read_quoted_field(line, first + 1);
  const std::size_t comma = line.find(',', at);
  const std::string_view field =
      trimmed(line.substr(at, comma == std::string_view::npos ? comma : comma - at));
  if (field.find('"') != std::string_view::npos) {
    throw Error(ErrorCode::invalid_data, where() + ": the field " + in_quotes(field) +
                                             " has quotes inside, a quoted field begins and ends with them");
  }
  next_field().assign(field);
  return comma == std::string_view::npos ? comma : comma + 1;
}

std::size_t CsvReader::read_quoted_field(std::string_view line, std::size_t at) {
  std::string& field = next_field();
  for (; at < line.size(); ++at) {
    if (line[at] == '"' && line.substr(at + 1, 1) != "\"") break;
    if (line[at] == '"') ++at;
    field += line[at];
  }
  if (at >= line.size()) {
    throw Error(ErrorCode::invalid_data, where() + ": a quoted field is not closed on its line");
  }
  const std::size_t comma = line.find_first_not_of(blanks, at + 1);
  if (comma == std::string_view::npos) return comma;
  if (line[comma] == ',') return comma + 1;
  throw Error(ErrorCode::invalid_data, where() + ": after the quoted field " + in_quotes(field) +
                                           " a comma or the end of the line was expected");
}

}  // namespace fl
