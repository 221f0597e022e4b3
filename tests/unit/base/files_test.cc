#include "common/base/files.h"

#include <sys/stat.h>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/support/temporary_folder.h"

using namespace fl;

namespace {

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("a file that is written atomically replaces the old one and leaves no other") {
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "x", as_bytes("old"));
  write_file_atomically(folder / "x", as_bytes("new"));
  CHECK(read_text_file(folder / "x") == "new");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a write that fails leaves the old file and nothing else (I9)") {
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "x");
  write_file_atomically(folder / "x" / "kept", as_bytes("kept"));
  CHECK_THROWS_AS(write_file_atomically(folder / "x", as_bytes("new")), Error);
  CHECK(files_in(folder.path()) == 1);
  CHECK(read_text_file(folder / "x" / "kept") == "kept");
  CHECK_THROWS_AS(write_file_atomically(folder / "absent" / "x", as_bytes("new")), Error);
}

TEST_CASE("secret files can be read by their owner alone") {
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "key", as_bytes("secret"), FileMode::secret);
  struct stat status{};
  REQUIRE(stat((folder / "key").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a missing file, a folder and a file over the limit are refused by name (I9)") {
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "x", as_bytes("12345"));
  try {
    read_file(folder / "absent");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::not_found);
    CHECK(std::string(error.what()).find("absent") != std::string::npos);
  }
  CHECK_THROWS_AS(read_file(folder.path()), Error);
  CHECK_THROWS_AS(read_file(folder / "x", 4), Error);
  CHECK(read_file(folder / "x", 5).size() == 5);
}

TEST_CASE("private folders are made with their parents and for the owner alone") {
  const test::TemporaryFolder folder;
  make_private_folder(folder / "a" / "b");
  struct stat status{};
  REQUIRE(stat((folder / "a" / "b").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
  write_file_atomically(folder / "file", as_bytes("x"));
  CHECK_THROWS_AS(make_private_folder(folder / "file" / "c"), Error);
}
