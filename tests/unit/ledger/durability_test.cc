#include <csignal>
#include <filesystem>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "server/ledger/ledger.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

/// Runs `action` in a process of its own; returns how that process ended, as waitpid() tells it.
template <typename Action>
int in_child(Action action) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      action();
    } catch (...) {
      ::_exit(99);
    }
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace

TEST_CASE("an update is there though the process is killed as soon as it is recorded, synced or not (I3)") {
  const TemporaryFolder folder;
  Durability durability = Durability::fsync;
  SUBCASE("synced") {}
  SUBCASE("not synced") {
    durability = Durability::relaxed;
  }
  const int status = in_child([&] {
    Ledger ledger(folder / "ledger.db");
    fill(ledger);
    ledger.record_updates("har", 1, {accepted_update("a")}, durability);
    ::kill(::getpid(), SIGKILL);
  });
  REQUIRE(WIFSIGNALED(status));
  const Ledger ledger(folder / "ledger.db");
  CHECK(ledger.open_round("har")->round == 1);
  CHECK(ledger.participants("har", 1).front().state == ParticipantState::accepted);
  CHECK(ledger.participants("har", 1).front().update_hash == digest_of("update of a"));
}

TEST_CASE("a round that was committed when the process was killed has its version (I3)") {
  const TemporaryFolder folder;
  in_child([&] {
    Ledger ledger(folder / "ledger.db");
    fill(ledger);
    ledger.commit_round("har", 1, at(900), sample_version(2, 1));
    ::kill(::getpid(), SIGKILL);
  });
  Ledger ledger(folder / "ledger.db");
  CHECK_FALSE(ledger.open_round("har").has_value());
  CHECK(ledger.latest_version("har").version == 2);
  ledger.begin_round(sample_round(2, 2), {"a"});
}

TEST_CASE("a disk that is full is said so and costs only what did not fit (I9)") {
  const TemporaryFolder folder;
  {
    Ledger ledger(folder / "ledger.db");
    fill(ledger);
  }
  // Files of this child may grow by little more than they have: what a full disk does.
  const int status = in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    Ledger ledger(folder / "ledger.db");
    const rlimit limit{65'536, 65'536};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      for (int i = 0; i < 1000; ++i) enrol(ledger, "device-" + std::to_string(i));
    } catch (const Error& error) {
      const bool right =
          error.code() == ErrorCode::resource_exhausted || error.code() == ErrorCode::unavailable;
      ::_exit(right ? 7 : 8);
    }
  });
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
  Ledger ledger(folder / "ledger.db");
  CHECK(ledger.open_round("har").has_value());
  const std::size_t devices = ledger.device_count();
  CHECK(devices >= 3);
  CHECK(devices < 1000);
  enrol(ledger, "afterwards");
  CHECK(ledger.device_count() == devices + 1);
}
