#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/data/line_reader.h"

namespace fl {

/// A decimal number written as C++ and JSON write it, whatever the locale; nothing if `text` is not wholly
/// one, or is not finite.
std::optional<double> parse_number(std::string_view text);

/// A CSV file (RFC 4180) row by row, in the memory of one row. The first row names the columns. Blanks around
/// fields are no part of them unless quoted, empty lines are skipped, and a quoted field ends on its line.
/// One thread at a time.
///
///     CsvReader rows("walk.csv");
///     const std::size_t x = rows.require("x_acc");
///     while (rows.next()) use(rows.number(x));
class CsvReader {
 public:
  /// Reads the row of names. Throws Error as LineReader does; invalid_data where there is no such row.
  explicit CsvReader(std::filesystem::path path);

  /// The column called `name`, if there is one. Throws Error(invalid_data) if there are two.
  std::optional<std::size_t> find(std::string_view name) const;
  /// The column called `name`. Throws Error(invalid_data) naming the file and the columns it has.
  std::size_t require(std::string_view name) const;

  /// Goes to the next row; false after the last. Throws Error(invalid_data) with file and line where the row
  /// has not as many fields as there are columns, or quotes are not closed or stand inside a field.
  bool next();

  /// A field of the present row; valid until next() is called.
  std::string_view text(std::size_t column) const { return fields_[column]; }
  /// The same as a finite number times `scale`. Throws Error(invalid_data) with file, line, column and what
  /// it holds where that is no number, or is too large for fp32.
  float number(std::size_t column, double scale = 1.0) const;

  const std::filesystem::path& path() const { return lines_.path(); }
  /// "walk.csv:17"
  std::string where() const { return lines_.where(); }
  /// Throws Error(invalid_data): "walk.csv:17: column x_acc holds 'abc', a number was expected".
  [[noreturn]] void fail(std::size_t column, std::string_view expected) const;

 private:
  bool next_row();
  std::string& next_field();
  void split(std::string_view line);
  std::size_t read_field(std::string_view line, std::size_t at);
  std::size_t read_quoted_field(std::string_view line, std::size_t at);

  LineReader lines_;
  std::vector<std::string> columns_;
  std::vector<std::string> fields_;  // grows only, to keep what the strings have allocated
  std::size_t field_count_ = 0;
};

}  // namespace fl
