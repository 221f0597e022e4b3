#include <fstream>
#include <sys/stat.h>

#include <SQLiteCpp/Database.h>
#include <doctest/doctest.h>

#include "common/base/files.h"
#include "server/ledger/ledger.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

void execute(const std::filesystem::path& path, const std::string& sql) {
  SQLite::Database(path.string(), SQLite::OPEN_READWRITE).exec(sql);
}

}  // namespace

TEST_CASE("a snapshot stays as the ledger was while that goes on") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  const Ledger before = Ledger::snapshot(folder / "ledger.db");
  ledger.record_updates("har", 1, {accepted_update("a")});
  ledger.commit_round("har", 1, at(900), sample_version(2, 1));
  CHECK(before.open_round("har")->round == 1);
  CHECK(before.participants("har", 1).front().state == ParticipantState::selected);
  CHECK(before.latest_version("har").version == 1);
  CHECK(Ledger::snapshot(folder / "ledger.db").latest_version("har").version == 2);
}

TEST_CASE("a snapshot changes nothing of what a killed process has left and cannot") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  for (const char* const end : {"", "-wal"}) {
    std::filesystem::copy_file(folder / (std::string("ledger.db") + end),
                               folder / (std::string("killed.db") + end));
  }
  const Bytes database = read_file(folder / "killed.db");
  const Bytes log = read_file(folder / "killed.db-wal");
  CHECK(!log.empty());
  {
    Ledger snapshot = Ledger::snapshot(folder / "killed.db");
    CHECK(snapshot.devices().size() == 3);
    CHECK(code_of([&] { snapshot.revoke_device("a"); }).has_value());
  }
  CHECK(read_file(folder / "killed.db") == database);
  CHECK(read_file(folder / "killed.db-wal") == log);
}

TEST_CASE("a copy holds what a ledger in use has committed and is for its owner alone") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  Ledger::copy(folder / "ledger.db", folder / "copy.db");
  ledger.commit_round("har", 1, at(900), sample_version(2, 1));
  struct stat status{};
  REQUIRE(stat((folder / "copy.db").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  Ledger copy(folder / "copy.db");
  CHECK(copy.device_count() == 3);
  CHECK(copy.latest_version("har").version == 1);
  copy.record_updates("har", 1, {accepted_update("a")});
  copy.commit_round("har", 1, at(900), sample_version(2, 1));
}

TEST_CASE("a copy is not made over something and not of what is no ledger (I9)") {
  const TemporaryFolder folder;
  {
    Ledger ledger(folder / "ledger.db");
    fill(ledger);
  }
  write_file_atomically(folder / "other", as_bytes("not a database at all, but long enough to look at"));
  CHECK(code_of([&] { Ledger::copy(folder / "ledger.db", folder / "other"); }).has_value());
  CHECK(read_text_file(folder / "other") == "not a database at all, but long enough to look at");
  CHECK(code_of([&] { Ledger::copy(folder / "other", folder / "copy.db"); }) == ErrorCode::invalid_data);
  CHECK(code_of([&] { Ledger::snapshot(folder / "nothing"); }).has_value());
  CHECK(!std::filesystem::exists(folder / "nothing"));
}

TEST_CASE(
    "a snapshot of an older schema says how to bring it up to date and of a newer one who made it (I9)") {
  const TemporaryFolder folder;
  {
    const Ledger ledger(folder / "ledger.db");
  }
  execute(folder / "ledger.db", "PRAGMA user_version = 1");
  CHECK(code_of([&] { Ledger::snapshot(folder / "ledger.db"); }) == ErrorCode::failed_precondition);
  execute(folder / "ledger.db", "PRAGMA user_version = 1000");
  CHECK(code_of([&] { Ledger::snapshot(folder / "ledger.db"); }) == ErrorCode::invalid_data);
}

TEST_CASE("a ledger without fault has none and broken references and values are told") {
  const TemporaryFolder folder;
  {
    Ledger ledger(folder / "ledger.db");
    fill(ledger);
    CHECK(ledger.faults().empty());
  }
  execute(folder / "ledger.db", "DELETE FROM devices WHERE id IN ('a', 'b')");
  execute(folder / "ledger.db", "PRAGMA ignore_check_constraints = 1; UPDATE rounds SET state = 'lost'");
  const std::vector<std::string> faults = Ledger::snapshot(folder / "ledger.db").faults();
  REQUIRE(faults.size() == 3);
  CHECK(faults[0].find("CHECK constraint failed in rounds") != std::string::npos);
  CHECK(faults[1] == "the table participants refers 2 times to what is not in the table devices");
  CHECK(faults[2] == "the table tokens refers 2 times to what is not in the table devices");
}
