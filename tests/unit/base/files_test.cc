#include "common/base/files.h"

#include <csignal>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <thread>

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

TEST_CASE("what is no regular file is not replaced by one (I9)") {
  const test::TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink("nowhere", folder / "dangling");
  std::filesystem::create_symlink("pipe", folder / "link");
  for (const char* name : {"pipe", "dangling", "link"}) {
    try {
      write_file_atomically(folder / name, as_bytes("new"));
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::invalid_argument);
      CHECK(std::string(error.what()).find((folder / name).string() + " is there") != std::string::npos);
    }
  }
  CHECK(std::filesystem::is_fifo(folder / "pipe"));
  CHECK(files_in(folder.path()) == 3);
}

TEST_CASE("of a link the file is replaced that it leads to") {
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "elsewhere");
  write_file_atomically(folder / "elsewhere" / "x", as_bytes("old"));
  std::filesystem::create_symlink("elsewhere/x", folder / "link");
  write_file_atomically(folder / "link", as_bytes("new"));
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_text_file(folder / "elsewhere" / "x") == "new");
  CHECK(files_in(folder / "elsewhere") == 1);
}

TEST_CASE("a draft that is given up leaves the old file and no other") {
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "x", as_bytes("old"));
  {
    FileDraft draft(folder / "x");
    draft.write(as_bytes("new"));
    CHECK(files_in(folder.path()) == 2);
  }
  CHECK(read_text_file(folder / "x") == "old");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a pipe is read to its end and not beyond the limit") {
  const test::TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const std::string text(200'000, 'x');
  std::signal(SIGPIPE, SIG_IGN);
  const auto read_while_written = [&](std::size_t limit) {
    std::thread writer([&] {
      try {
        write_all(open_file(folder / "pipe", O_WRONLY), as_bytes(text), folder / "pipe");
      } catch (const Error&) {
        return;  // the reader had enough
      }
    });
    const std::shared_ptr<void> end(nullptr, [&](void*) { writer.join(); });
    return read_text_file(folder / "pipe", limit);
  };
  CHECK(read_while_written(text.size()) == text);
  CHECK_THROWS_AS(read_while_written(100), Error);
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
