#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/durability/lives.h"

using namespace fl;
using namespace fl::test;

namespace {

namespace fs = std::filesystem;

bool is_done(const Told& told) {
  return told.published.contains(newest_version);
}

/// Lives to the newest version, once more whenever a life ends by a refusal, as an operator would; not more
/// than `most` times. Returns how often that was.
std::uint64_t live_through(const fs::path& home, SimulatedDisk& disk, const RoundPlan& plan, Told& told,
                           std::uint64_t most) {
  std::uint64_t refusals = 0;
  while (!is_done(told) && refusals <= most) {
    try {
      live_twice(home, disk, plan, told);
    } catch (const Error& error) {
      CHECK_FALSE(std::string(error.what()).empty());
      ++refusals;
    }
  }
  return refusals;
}

/// Each operation in turn fails with `error`, and with it so many after it.
void fail_everywhere(int error, std::uint64_t count) {
  const RoundPlan plan = two_device_plan();
  Homes homes;
  Told undisturbed;
  const fs::path oracle = homes.fresh();
  SimulatedDisk sound(oracle);
  live_twice(oracle, sound, plan, undisturbed);
  const VersionChain expected = versions_of(oracle);
  for (std::uint64_t operation = 1; operation <= sound.operations(); ++operation) {
    const fs::path home = homes.fresh();
    SimulatedDisk disk(home);
    disk.fail_at(operation, error, count);
    Told told;
    CHECK(live_through(home, disk, plan, told, count) <= count);
    CAPTURE(operation);
    CAPTURE(disk.log().at(operation - 1));
    disk.fail_at(operation, error, 0);                  // it is mended
    live(home, disk, plan, told, [] { return true; });  // a start that clears what is left
    CHECK(versions_of(home) == expected);
    CHECK(losses_of(home, told) == "");
    CHECK(faults_of(home, true) == "");
    CHECK(server::Ledger::snapshot(home / "ledger.db").rounds("tiny").size() == newest_version - 1);
    // What was acknowledged after the fault is on the disk nonetheless.
    const fs::path found = homes.empty();
    disk.survive(found);
    CHECK(losses_of(found, told) == "");
    CHECK(faults_of(found, false) == "");
    homes.clear();
  }
}

/// Whether a line of the log holds these words.
bool has_said(const SimulatedServer& server, const std::string& words) {
  const std::vector<std::string> lines = server.log_lines();
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(words) != std::string::npos; });
}

}  // namespace

TEST_CASE("a disk that is full at any write and then has room costs nothing (I3 I4)") {
  fail_everywhere(ENOSPC, 7);
}

TEST_CASE("a write that fails anywhere is made again and costs nothing (I3 I4)") {
  fail_everywhere(EIO, 1);
}

TEST_CASE("a disk that takes no writes from any of them on and then does costs nothing (I3 I4)") {
  fail_everywhere(EROFS, 25);
}

TEST_CASE("a round waits for its base version to be mended and goes on (I3)") {
  bool is_gone = false;
  SUBCASE("missing") {
    is_gone = true;
  }
  SUBCASE("damaged") {}
  Homes homes;
  const fs::path home = homes.fresh();
  SimulatedDisk disk(home);
  Told told;
  SimulatedServer server(home, disk, two_device_plan(), told);
  server.run([&] { return told.acknowledged.size() == 1; });
  const fs::path blob = home / "blobs" / versions_of(home).at(1).weights.hex();
  const fs::path kept = home / "kept";
  fs::rename(blob, kept);
  if (!is_gone) {
    fs::copy(kept, blob);
    std::ofstream(blob, std::ios::in | std::ios::binary) << "damaged";
  }
  const std::string complaint = is_gone ? "No such file or directory" : "does not hold what its name says";
  server.run([&] { return has_said(server, complaint); });
  CHECK_FALSE(told.published.contains(2));
  fs::rename(kept, blob);
  server.run([&] { return is_done(told); });
  CHECK(losses_of(home, told) == "");
}

TEST_CASE("a round whose acknowledged update was damaged is abandoned and the next goes on (I3)") {
  Homes homes;
  const fs::path home = homes.fresh();
  SimulatedDisk disk(home);
  const RoundPlan plan = two_device_plan();
  Told told;
  live(home, disk, plan, told, [&] { return told.acknowledged.size() == 1; });
  for (const auto& update : fs::directory_iterator(home / "spool/tiny/1")) {
    std::ofstream(update.path(), std::ios::in | std::ios::binary) << "damaged";
  }
  live(home, disk, plan, told, [&] { return is_done(told); });
  const server::Ledger ledger = server::Ledger::snapshot(home / "ledger.db");
  CHECK(ledger.rounds("tiny").front().state == server::RoundState::abandoned);
  CHECK(ledger.rounds("tiny").size() == newest_version);
  CHECK(losses_of(home, told) == "");
  CHECK(faults_of(home, true) == "");
}
