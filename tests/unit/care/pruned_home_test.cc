#include "server/care/home_copy.h"
#include "tests/unit/care/full_home.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

namespace fs = std::filesystem;

using Kind = Finding::Kind;

TaskRecord keeping_task() {
  TaskRecord task = sample_task();
  task.plan.round.keep_updates = {1};
  task.plan.round.keep_versions = {1};
  return task;
}

/// A full home that keeps the updates of one round and one version: round 2, which is committed, and version
/// 3. The two versions before are recorded as pruned; their blobs are still there.
struct KeepingHome : FullHome {
  KeepingHome() : FullHome(keeping_task()) {
    accept_update("b", 2);
    const Weights next{3, 4, 5, 6, 7, 8};
    registry.commit_round("har", 2, {server::store_weights(blobs, sample_task().layout, next), {}}, at(400));
    ledger.prune_versions("har", {1});
  }

  void remove_unneeded() {
    for (const Digest& hash : ledger.unneeded_blobs("har", 0)) blobs.remove(hash);
  }
};

}  // namespace

TEST_CASE("a pruned version's blobs are not missed and where they are left they are leftovers") {
  KeepingHome home;
  const HomeReport before = home.check();
  CAPTURE(text_of(before));
  CHECK_FALSE(before.has_faults());
  CHECK(before.findings.size() == 3);  // two versions' weights, one state
  CHECK(finds(before, Kind::leftover, home.weights_path(1).filename().string(), "no task and no version"));
  home.remove_unneeded();
  const HomeReport after = home.check();
  CAPTURE(text_of(after));
  CHECK(after.findings.empty());
  CHECK(after.records.versions == 3);
  CHECK(after.files == 4);  // archive, weights, two updates
}

TEST_CASE("a kept round's update that is lost is told and its folder is no leftover") {
  KeepingHome home;
  home.remove_unneeded();
  fs::remove(home.update_path());
  const HomeReport report = home.check();
  CAPTURE(text_of(report));
  CHECK(report.findings.size() == 1);
  CHECK(finds(report, Kind::loss, "spool/har/2/a-", "is missing"));
  CHECK(report.findings.front().remedy.find("cannot be replayed") != std::string::npos);
}

TEST_CASE("a newest version that is recorded as pruned is a fault") {
  KeepingHome home;
  home.execute("UPDATE versions SET pruned = 1");
  CHECK(finds(home.check(), Kind::fault, "version 3 of 'har'", "recorded as pruned"));
}

TEST_CASE("a copy has the updates that are kept and nothing of pruned versions") {
  KeepingHome home;
  const fs::path target = home.folder / "copy";
  copy_home(home.home, target, {});
  const HomeReport report = check_home(ServerHome::open(target), Leftovers::report, {});
  CAPTURE(text_of(report));
  CHECK(report.findings.empty());
  CHECK(report.files == 4);
  CHECK(fs::exists(target / "spool/har/2" / home.update_path().filename()));
  CHECK_FALSE(fs::exists(target / "blobs" / home.weights_path(1).filename()));
}

TEST_CASE("a version that is pruned during a copy or a check is not missed") {
  TaskRecord task = keeping_task();
  bool pruned = false;
  for (const bool copies : {true, false}) {
    FullHome full(task);
    pruned = false;
    // Only once the ledger was read: of a copy that is when the first of it is there.
    const auto prune = [&](std::uint64_t /*bytes*/) {
      if (copies && !fs::exists(full.folder / "copy.part/ledger.db")) return;
      if (std::exchange(pruned, true)) return;
      full.ledger.prune_versions("har", {1});
      for (const Digest& hash : full.ledger.unneeded_blobs("har", 0)) full.blobs.remove(hash);
    };
    if (copies) {
      copy_home(full.home, full.folder / "copy", prune);
    } else {
      CHECK_FALSE(check_home(full.home, Leftovers::ignore, prune).has_faults());
    }
    CHECK(pruned);
    CHECK_FALSE(full.blobs.contains(full.ledger.version("har", 1)->weights_hash));
  }
}
