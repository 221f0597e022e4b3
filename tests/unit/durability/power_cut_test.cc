#include <algorithm>
#include <array>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/random.h"
#include "tests/unit/durability/lives.h"

using namespace fl;
using namespace fl::test;

namespace {

namespace fs = std::filesystem;

/// What an undisturbed server makes of the same updates.
VersionChain undisturbed(Homes& homes, const RoundPlan& plan, std::uint64_t& operations) {
  const fs::path home = homes.fresh();
  SimulatedDisk disk(home);
  Told told;
  live_twice(home, disk, plan, told);
  operations = disk.operations();
  CHECK(faults_of(home, true).empty());
  CHECK(losses_of(home, told).empty());
  VersionChain chain = versions_of(home);
  CHECK(chain.size() == newest_version);
  return chain;
}

/// Goes on in what a power cut has left, to the newest version.
void go_on(const fs::path& home, const RoundPlan& plan, Told told, const VersionChain& expected) {
  SimulatedDisk disk(home);
  live(home, disk, plan, told, [&] { return told.published.contains(newest_version); });
  CHECK(versions_of(home) == expected);
  CHECK(losses_of(home, told) == "");
  CHECK(faults_of(home, true) == "");
  const server::Ledger ledger = server::Ledger::snapshot(home / "ledger.db");
  CHECK(ledger.rounds("tiny").size() == newest_version - 1);  // none was abandoned
}

/// Cuts the power at this operation; returns a disk on which it has gone, and what was told until then.
std::unique_ptr<SimulatedDisk> cut(const fs::path& home, std::uint64_t operation, const RoundPlan& plan,
                                   Told& told) {
  auto disk = std::make_unique<SimulatedDisk>(home);
  disk->cut_power_at(operation);
  live_twice(home, *disk, plan, told);
  return disk;
}

/// Each operation in turn, of which every `step`-th, and what is left in three ways: nothing of what was not
/// synced, and twice some of it.
void cut_everywhere(const RoundPlan& plan, std::uint64_t first, std::uint64_t step) {
  Homes homes;
  std::uint64_t operations = 0;
  const VersionChain expected = undisturbed(homes, plan, operations);
  REQUIRE(operations > 100);
  for (std::uint64_t operation = first; operation <= operations; operation += step) {
    Told told;
    const auto disk = cut(homes.fresh(), operation, plan, told);
    REQUIRE(disk->is_cut());
    CAPTURE(operation);
    CAPTURE(disk->log().back());
    for (const std::optional<std::uint64_t> seed :
         {std::optional<std::uint64_t>(), std::optional(operation), std::optional(operation + operations)}) {
      CAPTURE(seed.value_or(0));
      const fs::path found = homes.empty();
      disk->survive(found, seed);
      CHECK(losses_of(found, told) == "");
      CHECK(faults_of(found, false) == "");
      go_on(found, plan, told, expected);
    }
    homes.clear();
  }
}

}  // namespace

// In four parts, which may run at the same time.
TEST_CASE(
    "wherever the power goes no acknowledged update is lost and the versions are the same: first part (I3 "
    "I4)") {
  cut_everywhere(two_device_plan(), 1, 4);
}
TEST_CASE(
    "wherever the power goes no acknowledged update is lost and the versions are the same: second part (I3 "
    "I4)") {
  cut_everywhere(two_device_plan(), 2, 4);
}
TEST_CASE(
    "wherever the power goes no acknowledged update is lost and the versions are the same: third part (I3 "
    "I4)") {
  cut_everywhere(two_device_plan(), 3, 4);
}
TEST_CASE(
    "wherever the power goes no acknowledged update is lost and the versions are the same: fourth part (I3 "
    "I4)") {
  cut_everywhere(two_device_plan(), 4, 4);
}

TEST_CASE("what is kept is there wherever the power goes and nothing else is left in the end (I3)") {
  RoundPlan plan = two_device_plan();
  plan.keep_updates = {1};
  plan.keep_versions = {2};
  cut_everywhere(plan, 1, 2);
}

TEST_CASE("a version that travels as a difference is whole with it wherever the power goes (I3 I4)") {
  RoundPlan plan = two_device_plan();
  plan.download_encoding = Encoding::int8;
  plan.keep_versions = {2};
  cut_everywhere(plan, 1, 3);
}

TEST_CASE("control variates are as whole as the weights wherever the power goes (I3 I4)") {
  cut_everywhere(scaffold_plan(), 1, 4);
}

// Which device's update comes first depends on when the power went, so that the versions differ.
TEST_CASE("buffers count each acknowledged update once wherever the power goes (I3 I4)") {
  const RoundPlan plan = buffer_plan();
  Homes homes;
  Told undisturbed;
  const fs::path oracle = homes.fresh();
  SimulatedDisk sound(oracle);
  live_twice(oracle, sound, plan, undisturbed);
  Makings makings = makings_of(oracle);
  for (std::uint64_t operation = 1; operation <= sound.operations(); ++operation) {
    Told told;
    const auto disk = cut(homes.fresh(), operation, plan, told);
    CAPTURE(operation);
    const fs::path found = homes.empty();
    disk->survive(found, operation);
    CHECK(losses_of(found, told) == "");
    CHECK(faults_of(found, false) == "");
    SimulatedDisk whole(found);
    live(found, whole, plan, told, [&] { return told.has_reached(newest_version); });
    CHECK(losses_of(found, told) == "");
    CHECK(faults_of(found, true) == "");
    for (const auto& [from, made] : makings_of(found)) {
      const auto known = makings.try_emplace(from, made).first;
      CHECK(known->second == made);
    }
    homes.clear();
  }
  CHECK(makings.size() > newest_version);  // or all lives were alike
}

TEST_CASE("power that goes again while a server recovers costs nothing either (I3 I4)") {
  const RoundPlan plan = two_device_plan();
  Homes homes;
  std::uint64_t operations = 0;
  const VersionChain expected = undisturbed(homes, plan, operations);
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Told told;
    fs::path home = homes.fresh();
    for (int times = 0; times < 4; ++times) {
      const auto disk = cut(home, 1 + random.below(operations / 2), plan, told);
      home = homes.empty();
      disk->survive(home, random());
      CHECK(losses_of(home, told) == "");
      CHECK(faults_of(home, false) == "");
    }
    go_on(home, plan, told, expected);
    homes.clear();
  }
}

TEST_CASE("with relaxed durability a power cut may cost updates and rounds but no published version") {
  RoundPlan plan = two_device_plan();
  plan.durability = Durability::relaxed;
  plan.keep_updates = {};  // what is in a version is there to be replayed
  Homes homes;
  std::uint64_t operations = 0;
  const VersionChain expected = undisturbed(homes, plan, operations);
  std::size_t abandoned = 0;
  for (std::uint64_t operation = 1; operation <= operations; ++operation) {
    Told told;
    const auto disk = cut(homes.fresh(), operation, plan, told);
    CAPTURE(operation);
    CAPTURE(disk->log().back());
    for (const std::optional<std::uint64_t> seed :
         {std::optional<std::uint64_t>(), std::optional(operation)}) {
      CAPTURE(seed.value_or(0));
      const fs::path found = homes.empty();
      disk->survive(found, seed);
      Told versions = told;
      versions.acknowledged.clear();
      CHECK(losses_of(found, versions) == "");
      SimulatedDisk whole(found);
      live(found, whole, plan, versions, [&] { return versions.published.contains(newest_version); });
      CHECK(versions_of(found) == expected);
      CHECK(losses_of(found, versions) == "");
      const std::string faults = faults_of(found, true);
      CHECK(faults.find("fault") == std::string::npos);
      const std::vector<server::RoundRecord> rounds =
          server::Ledger::snapshot(found / "ledger.db").rounds("tiny");
      abandoned += rounds.size() - (newest_version - 1);
    }
    homes.clear();
  }
  CHECK(abandoned > 0);  // or nothing was ever lost, and this tests nothing
}
