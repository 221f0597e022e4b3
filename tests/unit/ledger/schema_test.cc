#include "server/ledger/schema.h"

#include <array>
#include <sys/stat.h>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <doctest/doctest.h>

#include "common/base/files.h"
#include "server/ledger/ledger.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

constexpr std::array<Migration, 2> history{
    "CREATE TABLE notes (text TEXT NOT NULL) STRICT;",
    "ALTER TABLE notes ADD COLUMN importance INTEGER NOT NULL DEFAULT 5;",
};

SQLite::Database open(const std::filesystem::path& path) {
  return {path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
}

}  // namespace

TEST_CASE("an old database is brought to the present version with what it holds") {
  const TemporaryFolder folder;
  SQLite::Database database = open(folder / "x.db");
  migrate(database, std::span(history).first(1));
  database.exec("INSERT INTO notes (text) VALUES ('kept')");
  migrate(database, history);
  CHECK(database.execAndGet("SELECT importance FROM notes WHERE text = 'kept'").getInt() == 5);
  CHECK(database.execAndGet("PRAGMA user_version").getInt() == 2);
  migrate(database, history);
  CHECK(database.execAndGet("SELECT count(*) FROM notes").getInt() == 1);
}

TEST_CASE("a migration that fails leaves the version before it (I9)") {
  const TemporaryFolder folder;
  SQLite::Database database = open(folder / "x.db");
  constexpr std::array<Migration, 2> broken{history[0],
                                            "CREATE TABLE half (a INTEGER); CREATE TABLE notes (b);"};
  CHECK_THROWS_AS(migrate(database, broken), SQLite::Exception);
  CHECK(database.execAndGet("PRAGMA user_version").getInt() == 1);
  CHECK_FALSE(database.tableExists("half"));
}

TEST_CASE("a database of a newer version is refused and left as it was (I9)") {
  const TemporaryFolder folder;
  {
    const Ledger ledger(folder / "ledger.db");
  }
  const auto next = static_cast<int>(ledger_migrations().size()) + 1;
  open(folder / "ledger.db").exec("PRAGMA user_version = " + std::to_string(next));
  CHECK(code_of([&] { const Ledger ledger(folder / "ledger.db"); }) == ErrorCode::invalid_data);
  CHECK(open(folder / "ledger.db").execAndGet("PRAGMA user_version").getInt() == next);
}

TEST_CASE("another program's database and a file that is none are refused (I9)") {
  const TemporaryFolder folder;
  open(folder / "other.db").exec("CREATE TABLE theirs (a)");
  CHECK(code_of([&] { const Ledger ledger(folder / "other.db"); }) == ErrorCode::invalid_data);
  CHECK(open(folder / "other.db").execAndGet("PRAGMA journal_mode").getString() == "delete");
  write_file_atomically(folder / "text.db", as_bytes(std::string(5000, 'x')));
  CHECK(code_of([&] { const Ledger ledger(folder / "text.db"); }) == ErrorCode::invalid_data);
  CHECK(code_of([&] { const Ledger ledger(folder / "absent" / "ledger.db"); }) == ErrorCode::not_found);
}

TEST_CASE("the database is written ahead and for its owner alone") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  enrol(ledger, "a");
  for (const char* name : {"ledger.db", "ledger.db-wal"}) {
    struct stat status{};
    REQUIRE(stat((folder / name).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
  CHECK(open(folder / "ledger.db").execAndGet("PRAGMA journal_mode").getString() == "wal");
}
