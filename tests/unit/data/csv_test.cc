#include "common/data/csv.h"

#include <clocale>
#include <string>

#include "tests/unit/data/data_support.h"

using namespace fl;
using test::check_error;
using test::TemporaryFolder;
using test::write;

namespace {

std::vector<std::vector<std::string>> rows_of(const std::filesystem::path& path, std::size_t columns) {
  CsvReader reader(path);
  std::vector<std::vector<std::string>> rows;
  while (reader.next()) {
    auto& row = rows.emplace_back();
    for (std::size_t i = 0; i < columns; ++i) row.emplace_back(reader.text(i));
  }
  return rows;
}

void read_all(const std::filesystem::path& path) {
  CsvReader reader(path);
  while (reader.next()) {
    for (const char* column : {"a", "b"}) static_cast<void>(reader.number(reader.require(column)));
  }
}

}  // namespace

TEST_CASE("rows are split at commas whatever ends a line") {
  const TemporaryFolder folder;
  const std::vector<std::vector<std::string>> expected{{"1", "2"}, {"3", ""}, {"", "4"}};
  CHECK(rows_of(write(folder, "unix", "a,b\n1,2\n3,\n,4\n"), 2) == expected);
  CHECK(rows_of(write(folder, "windows", "a,b\r\n1,2\r\n3,\r\n,4"), 2) == expected);
  CHECK(rows_of(write(folder, "blanks", "\xef\xbb\xbf a ,\tb\n\n1 , 2\n 3,\n ,4\n \n"), 2) == expected);
}

TEST_CASE("quoted fields hold commas and quotes and blanks") {
  const TemporaryFolder folder;
  const auto path = write(folder, "x.csv", "\"a\",b\n\"1,2\", \"say \"\"hi\"\"\" \n\"\",\" x \"\n");
  CHECK(rows_of(path, 2) == std::vector<std::vector<std::string>>{{"1,2", "say \"hi\""}, {"", " x "}});
}

TEST_CASE("wrong quotes are refused with file and line (I9)") {
  const TemporaryFolder folder;
  const auto refuse = [&](const char* name, const char* text, const char* words) {
    const auto path = write(folder, name, text);
    check_error(ErrorCode::invalid_data, [&] { rows_of(path, 1); }, name, words);
  };
  refuse("open.csv", "a\n\"1\n", "open.csv:2: a quoted field is not closed");
  refuse("after.csv", "a\n\n\"1\"2\n", "after.csv:3: after the quoted field '1'");
  refuse("inside.csv", "a\n1\"2\"\n", "inside.csv:2: the field '1\"2\"' has quotes inside");
}

TEST_CASE("a column that is missing is named with those that are there (I9)") {
  const TemporaryFolder folder;
  CsvReader reader(write(folder, "walk.csv", "x_acc,label,time,time\n"));
  CHECK(reader.require("label") == 1);
  CHECK(!reader.find("y_acc"));
  check_error(
      ErrorCode::invalid_data, [&] { reader.require("y_acc"); }, "walk.csv", "no column 'y_acc'",
      "'x_acc', 'label'");
  check_error(
      ErrorCode::invalid_data, [&] { reader.require("time"); }, "walk.csv", "two columns called 'time'");
  CHECK(!reader.next());
}

TEST_CASE("a number that is none is named with file and line and column (I9)") {
  const TemporaryFolder folder;
  for (const char* bad : {"abc", "", "1.5x", "0x10", "nan", "inf", "1e999", "+1", "1;2", "--1"}) {
    const auto path = write(folder, "walk.csv", "a,b\n1,2\n\n3," + std::string(bad) + "\n");
    check_error(
        ErrorCode::invalid_data, [&] { read_all(path); },
        "walk.csv:4: column b holds '" + std::string(bad) + "', a number was expected");
  }
  read_all(write(folder, "good.csv", "a,b\n1,-2.5\n1e-3,.5\n-0,1E+20\n"));
}

TEST_CASE("a number is scaled before it is held against what fp32 takes") {
  const TemporaryFolder folder;
  CsvReader reader(write(folder, "x.csv", "a\n2e39\n"));
  REQUIRE(reader.next());
  CHECK(reader.number(0, 0.1) == 2e38F);
  check_error(
      ErrorCode::invalid_data, [&] { reader.number(0); }, "x.csv:2: column a holds '2e39'", "fits fp32");
}

TEST_CASE("numbers read the same in every locale") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* locale : {"de_DE.UTF-8", "fr_FR.UTF-8", "C"}) {
    std::setlocale(LC_ALL, locale);
    CHECK(parse_number("-4.160221099853516") == -4.160221099853516);
    CHECK(!parse_number("4,16"));
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("a row of another length than the first is refused (I9)") {
  const TemporaryFolder folder;
  const auto shorter = write(folder, "short.csv", "a,b\n1,2\n3\n");
  const auto longer = write(folder, "long.csv", "a,b\n1,2,3\n");
  check_error(ErrorCode::invalid_data, [&] { read_all(shorter); }, "short.csv:3", "1 fields", "2 columns");
  check_error(ErrorCode::invalid_data, [&] { read_all(longer); }, "long.csv:2", "3 fields", "2 columns");
}

TEST_CASE("a file that is missing or a folder or empty is refused by name (I9)") {
  const TemporaryFolder folder;
  check_error(ErrorCode::not_found, [&] { read_all(folder / "absent.csv"); }, "absent.csv");
  check_error(ErrorCode::invalid_argument, [&] { read_all(folder.path()); }, "is a folder");
  for (const char* text : {"", "\n", "\xef\xbb\xbf", " \r\n"}) {
    const auto path = write(folder, "empty.csv", text);
    check_error(
        ErrorCode::invalid_data, [&] { read_all(path); }, "empty.csv is empty", "names of the columns");
  }
  read_all(write(folder, "names-only.csv", "a,b"));
}

TEST_CASE("bytes that are no text are refused with the line (I8)") {
  const TemporaryFolder folder;
  const auto path = write(folder, "nul.csv", std::string("a,b\n1,2\n1,\0\n", 12));
  check_error(ErrorCode::invalid_data, [&] { read_all(path); }, "nul.csv:3", "NUL byte");
  const auto control = write(folder, "control.csv", "a,b\n1,\x1b[31m\n");
  check_error(ErrorCode::invalid_data, [&] { read_all(control); }, "column b holds '\\x1b[31m'");
}

TEST_CASE("a line is read up to its bound and not beyond (I8)") {
  const TemporaryFolder folder;
  const std::string most(LineReader::longest_line - 3, ' ');
  read_all(write(folder, "most.csv", "a,b\n1," + most + "2\n"));
  const auto path = write(folder, "more.csv", "a,b\n1," + most + "02\n");
  check_error(ErrorCode::invalid_data, [&] { read_all(path); }, "more.csv:2", "longer than 1048576 bytes");
  const auto endless = write(folder, "endless.csv", std::string(3 * LineReader::longest_line, 'x'));
  check_error(ErrorCode::invalid_data, [&] { read_all(endless); }, "endless.csv:1", "longer than");
}

TEST_CASE("lines that cross the blocks a file is read in stay whole") {
  const TemporaryFolder folder;
  std::string text = "a,b\r\n";
  std::vector<std::vector<std::string>> expected;
  for (std::size_t i = 0; i < 5000; ++i) {
    expected.push_back({std::to_string(i), std::string(i % 97, 'x')});
    text += expected.back()[0] + "," + expected.back()[1] + "\r\n";
  }
  CHECK(rows_of(write(folder, "x.csv", text), 2) == expected);
}
