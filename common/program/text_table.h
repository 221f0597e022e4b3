#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace fl::program {

/// What stands in a table: nothing, a truth, a whole number, a real number or text.
using Cell = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

struct Column {
  std::string name;       ///< The heading, and the key in JSON: "accuracy".
  int digits = 4;         ///< Decimals of real numbers, for eyes.
  std::size_t width = 0;  ///< At least as wide; matters where rows are printed as they come.
  bool bytes = false;     ///< Whole numbers are sizes: "1.5 MB" for eyes.
};

/// Rows of cells that print as aligned columns for eyes or as JSON for programs. Numbers stand right, text
/// left; a cell of nothing is "-" and null. Not for several threads.
class TextTable {
 public:
  explicit TextTable(std::vector<Column> columns);

  /// `cells` must be as many as there are columns.
  void add(std::vector<Cell> cells);
  std::size_t rows() const { return rows_.size(); }

  /// The heading and every row, each ending with a new line; columns as wide as their widest cell.
  std::string text() const;
  /// An array of one object a row, on one line that ends with a new line.
  std::string json() const;

  /// For rows that are printed as they happen: the heading, one row, or one row's object, by the columns'
  /// own widths, each ending with a new line.
  std::string heading() const;
  std::string row_text(const std::vector<Cell>& cells) const;
  std::string row_json(const std::vector<Cell>& cells) const;

 private:
  std::string line(const std::vector<std::string>& fields, const std::vector<Cell>* cells,
                   const std::vector<std::size_t>& widths) const;
  std::vector<std::string> fields(const std::vector<Cell>& cells) const;
  std::vector<std::string> names() const;
  std::vector<std::size_t> own_widths() const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// "512 B", "1.5 KB", "2.0 GB", in powers of 1000.
std::string readable_bytes(std::uint64_t bytes);

/// "0.4 s", "12 s", "3 min 05 s", "2 h 10 min", "3 d 4 h".
std::string readable_seconds(double seconds);

/// A moment as "2024-05-01 13:45:07" (UTC), from seconds since the Unix epoch.
std::string readable_moment(std::int64_t seconds);

}  // namespace fl::program
