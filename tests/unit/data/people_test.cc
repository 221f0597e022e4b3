#include "common/data/people.h"

#include "tests/unit/data/data_support.h"

using namespace fl;
using test::check_error;
using test::TemporaryFolder;

namespace {

void touch(const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream{path};
}

}  // namespace

TEST_CASE("people are folders of numbered recordings") {
  const TemporaryFolder folder;
  for (const char* file :
       {"s02/s02_10_sp.csv", "s02/s02_9_sp.csv", "s02/s02_01_sp.csv", "s02/s02_01_sw.csv", "s02/s02_x_sp.csv",
        "s02/s02__sp.csv", "s02/s01_01_sp.csv", "s01/s01_01_sp.csv", "s03/s03_01_sw.csv", "notes.csv"}) {
    touch(folder / "DATA" / file);
  }
  std::filesystem::create_directories(folder / "DATA" / "s01" / "s01_02_sp.csv");
  for (const auto& root : {folder.path(), folder / "DATA"}) {
    const auto people = people_in(root);
    REQUIRE(people.size() == 2);
    CHECK(people[0].name == "s01");
    CHECK(people[0].files.size() == 1);
    CHECK(people[1].name == "s02");
    REQUIRE(people[1].files.size() == 3);
    CHECK(people[1].files[0].filename() == "s02_01_sp.csv");
    CHECK(people[1].files[1].filename() == "s02_9_sp.csv");
    CHECK(people[1].files[2].filename() == "s02_10_sp.csv");
  }
  CHECK(people_in(folder.path(), "_sw.csv").size() == 2);
}

TEST_CASE("a folder of another layout is refused with what was expected (I9)") {
  const TemporaryFolder folder;
  touch(folder / "other" / "x.csv");
  check_error(
      ErrorCode::invalid_data, [&] { people_in(folder / "other"); }, "other",
      "DATA/<person>/<person>_<number>_sp.csv", "DATA/s01/s01_01_sp.csv");
  check_error(ErrorCode::not_found, [&] { people_in(folder / "absent"); }, "absent");
  check_error(ErrorCode::not_found, [&] { people_in(folder / "other" / "x.csv"); }, "x.csv");
}
