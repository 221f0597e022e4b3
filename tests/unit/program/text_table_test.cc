#include "common/program/text_table.h"

#include <cmath>

#include <doctest/doctest.h>

using namespace fl::program;

namespace {

TextTable sample() {
  TextTable table({{"name"}, {"count"}, {"share", 2}, {"done"}});
  table.add({std::string("häuser"), std::int64_t{7}, 0.125, true});
  table.add({std::string("b"), std::int64_t{12345678}, std::nan(""), std::monostate{}});
  return table;
}

}  // namespace

TEST_CASE("columns are as wide as their widest cell with numbers standing right") {
  CHECK(sample().text() ==
        "name       count  share  done\n"
        "häuser         7   0.12  yes\n"
        "b       12345678    nan  -\n");
}

TEST_CASE("the same table is JSON for programs with null for what is not there") {
  CHECK(sample().json() ==
        "[{\"name\":\"häuser\",\"count\":7,\"share\":1.25E-1,\"done\":true},"
        "{\"name\":\"b\",\"count\":12345678,\"share\":null,\"done\":null}]\n");
  CHECK(TextTable({{"x"}}).json() == "[]\n");
}

TEST_CASE("rows that are printed as they come keep the width of their columns") {
  const TextTable table({{"round", 4, 6}, {"accuracy", 3}});
  CHECK(table.heading() == " round  accuracy\n");
  CHECK(table.row_text({std::int64_t{3}, 0.5}) == "     3     0.500\n");
  CHECK(table.row_json({std::int64_t{3}, std::monostate{}}) == "{\"round\":3,\"accuracy\":null}\n");
}

TEST_CASE("a column of sizes is readable for eyes and exact for programs") {
  TextTable table({{.name = "sent", .bytes = true}});
  table.add({std::int64_t{1'500'000}});
  CHECK(table.text() == "  sent\n1.5 MB\n");
  CHECK(table.json() == "[{\"sent\":1500000}]\n");
}

TEST_CASE("sizes and times and moments are readable") {
  CHECK(readable_bytes(999) == "999 B");
  CHECK(readable_bytes(1500) == "1.5 KB");
  CHECK(readable_bytes(999'960) == "1.0 MB");
  CHECK(readable_bytes(2'000'000'000) == "2.0 GB");
  CHECK(readable_seconds(0.42) == "0.4 s");
  CHECK(readable_seconds(59) == "59 s");
  CHECK(readable_seconds(185) == "3 min 05 s");
  CHECK(readable_seconds(7800) == "2 h 10 min");
  CHECK(readable_seconds(273600) == "3 d 4 h");
  CHECK(readable_moment(1714571107) == "2024-05-01 13:45:07");
}
