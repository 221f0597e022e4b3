// CSV files: the fields that were read, quoted and written, are read as the same again.
#include <vector>

#include "common/data/csv.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory_file.h"

using namespace fl;
using namespace fl::fuzz;

namespace {

std::string quoted(std::string_view field) {
  std::string text = "\"";
  for (const char character : field)
    text += character == '"' ? std::string("\"\"") : std::string(1, character);
  return text + "\"";
}

/// Every row after that of the names, with quotes around each field; nothing where the file is refused.
std::optional<std::string> rows_of(std::string_view text, std::size_t columns) {
  const MemoryFile file(as_bytes(text));
  return unless_refused([&] {
    CsvReader reader(file.path());
    std::string rows;
    while (reader.next()) {
      for (std::size_t i = 0; i < columns; ++i) rows += (i == 0 ? "" : ",") + quoted(reader.text(i));
      rows += "\n";
      unless_refused([&] { return reader.number(0); });
    }
    return rows;
  });
}

}  // namespace

void fl::fuzz::try_input(ByteView input) {
  const std::size_t columns = 1 + take_byte(input) % 4U;
  std::string names = "a";
  for (std::size_t i = 1; i < columns; ++i) names += ",b";
  const auto rows = rows_of(names + "\n" + std::string(as_text(input)), columns);
  if (!rows) return;
  require(rows_of(names + "\n" + *rows, columns) == rows, "what was written is read as the same");
}
