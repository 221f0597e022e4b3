#include "common/program/text_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <string_view>

#include <boost/json.hpp>

namespace fl::program {
namespace {

/// How many characters a terminal shows; a UTF-8 continuation byte shows none.
std::size_t shown_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
  }));
}

std::string fixed(double value, int digits) {
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  char text[400];
  const int length = std::snprintf(text, sizeof text, "%.*f", digits, value);
  return {text, static_cast<std::size_t>(length)};
}

struct ForEyes {
  const Column& column;
  std::string operator()(std::monostate) const { return "-"; }
  std::string operator()(bool value) const { return value ? "yes" : "no"; }
  std::string operator()(std::int64_t value) const {
    const bool is_size = column.bytes && value >= 0;
    return is_size ? readable_bytes(static_cast<std::uint64_t>(value)) : std::to_string(value);
  }
  std::string operator()(double value) const { return fixed(value, column.digits); }
  std::string operator()(const std::string& value) const { return value; }
};

struct ForPrograms {
  boost::json::value operator()(std::monostate) const { return nullptr; }
  boost::json::value operator()(double value) const {
    return std::isfinite(value) ? boost::json::value(value) : boost::json::value(nullptr);
  }
  template <typename Value>
  boost::json::value operator()(const Value& value) const {
    return boost::json::value(value);
  }
};

bool stands_right(const Cell& cell) {
  return std::holds_alternative<std::int64_t>(cell) || std::holds_alternative<double>(cell);
}

boost::json::object object_of(const std::vector<Column>& columns, const std::vector<Cell>& cells) {
  boost::json::object object;
  for (std::size_t i = 0; i < columns.size(); ++i)
    object[columns[i].name] = std::visit(ForPrograms{}, cells[i]);
  return object;
}

}  // namespace

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

void TextTable::add(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::vector<std::string> TextTable::fields(const std::vector<Cell>& cells) const {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    result.push_back(std::visit(ForEyes{columns_[i]}, cells[i]));
  }
  return result;
}

std::vector<std::string> TextTable::names() const {
  std::vector<std::string> result;
  for (const Column& column : columns_) result.push_back(column.name);
  return result;
}

std::vector<std::size_t> TextTable::own_widths() const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(std::max(column.width, shown_width(column.name)));
  return widths;
}

std::string TextTable::line(const std::vector<std::string>& fields, const std::vector<Cell>* cells,
                            const std::vector<std::size_t>& widths) const {
  std::string text;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t shown = shown_width(fields[i]);
    const std::string padding(widths[i] > shown ? widths[i] - shown : 0, ' ');
    const bool right = cells != nullptr && stands_right((*cells)[i]);
    text += (i == 0 ? "" : "  ") + (right ? padding + fields[i] : fields[i] + padding);
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths = own_widths();
  for (const std::vector<Cell>& row : rows_) {
    const std::vector<std::string> shown = fields(row);
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], shown_width(shown[i]));
  }
  // A heading stands over its numbers, so it follows the first row's alignment.
  std::string result = line(names(), rows_.empty() ? nullptr : &rows_.front(), widths);
  for (const std::vector<Cell>& row : rows_) result += line(fields(row), &row, widths);
  return result;
}

std::string TextTable::json() const {
  boost::json::array array;
  for (const std::vector<Cell>& row : rows_) array.push_back(object_of(columns_, row));
  return boost::json::serialize(array) + "\n";
}

std::string TextTable::heading() const {
  const std::vector<Cell> right(columns_.size(), Cell(std::int64_t{0}));
  return line(names(), &right, own_widths());
}

std::string TextTable::row_text(const std::vector<Cell>& cells) const {
  const std::vector<Cell> right(columns_.size(), Cell(std::int64_t{0}));
  return line(fields(cells), &right, own_widths());
}

std::string TextTable::row_json(const std::vector<Cell>& cells) const {
  return boost::json::serialize(object_of(columns_, cells)) + "\n";
}

std::string readable_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  for (const char* unit : {"KB", "MB", "GB", "TB"}) {
    value /= 1000.0;
    if (value < 999.95) return fixed(value, 1) + " " + unit;
  }
  return fixed(value, 1) + " TB";
}

std::string readable_seconds(double seconds) {
  if (seconds < 9.95) return fixed(seconds, 1) + " s";
  const auto whole = std::llround(seconds);
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) {
    const std::string rest = std::to_string(whole % 60);
    return std::to_string(whole / 60) + " min " + (rest.size() < 2 ? "0" : "") + rest + " s";
  }
  if (whole < 86400) return std::to_string(whole / 3600) + " h " + std::to_string(whole / 60 % 60) + " min";
  return std::to_string(whole / 86400) + " d " + std::to_string(whole / 3600 % 24) + " h";
}

std::string readable_moment(std::int64_t seconds) {
  const std::time_t moment = seconds;
  std::tm parts{};
  if (gmtime_r(&moment, &parts) == nullptr) return "-";
  char text[64];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts)};
}

}  // namespace fl::program
