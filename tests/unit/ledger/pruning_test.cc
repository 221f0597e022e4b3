#include <set>

#include <doctest/doctest.h>

#include "server/ledger/ledger.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

/// A ledger with versions 1 to 4 of "har", made by rounds 1, 2 and 4; round 3 was abandoned.
struct History {
  History() : ledger(folder / "ledger.db") {
    fill(ledger);
    std::uint64_t version = 1;
    for (const std::uint64_t round : {1U, 2U, 3U, 4U}) {
      if (round > 1) ledger.begin_round(sample_round(round, version), {"a"});
      if (round == 3) {
        ledger.abandon_round("har", round, at(900), "nobody came");
      } else {
        ledger.commit_round("har", round, at(900), version_of(++version, round));
      }
    }
  }

  static VersionRecord version_of(std::uint64_t number, std::uint64_t round) {
    VersionRecord version = sample_version(number, round);
    version.state_hash = digest_of("state " + std::to_string(number));
    version.difference = {digest_of("weights " + std::to_string(number - 1)),
                          digest_of("difference " + std::to_string(number)), 8, Encoding::int8, 2};
    return version;
  }

  std::vector<std::uint64_t> pruned() const {
    std::vector<std::uint64_t> numbers;
    for (const VersionRecord& version : ledger.versions("har")) {
      if (version.pruned) numbers.push_back(version.version);
    }
    return numbers;
  }

  TemporaryFolder folder;
  Ledger ledger;
};

using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("the newest committed rounds are those that are kept") {
  const History history;
  CHECK(history.ledger.committed_rounds("har", {2}) == Numbers{4, 2});
  CHECK(history.ledger.committed_rounds("har", {0}).empty());
  CHECK(history.ledger.committed_rounds("har", {}) == Numbers{4, 2, 1});
  CHECK(history.ledger.committed_rounds("absent", {}).empty());
}

TEST_CASE("versions older than those kept are recorded as pruned once and the newest never is") {
  History history;
  CHECK_FALSE(history.ledger.prune_versions("har", {}));
  CHECK_FALSE(history.ledger.prune_versions("har", {4}));
  CHECK(history.pruned().empty());
  CHECK(history.ledger.prune_versions("har", {3}) == 1);
  CHECK(history.pruned() == Numbers{1});
  CHECK(history.ledger.prune_versions("har", {0}) == 2);
  CHECK(history.pruned() == Numbers{1, 2, 3});
  CHECK_FALSE(history.ledger.prune_versions("har", {1}));
  CHECK(history.ledger.latest_version("har").pruned == false);
  CHECK(history.ledger.version("har", 2)->pruned);
}

TEST_CASE("what an open round trains from is not pruned") {
  History history;
  history.ledger.begin_round(sample_round(5, 4), {"a"});
  VersionRecord again = sample_version(5);  // published again while the round is open
  again.weights_hash = digest_of("weights 4");
  history.ledger.add_version(again);
  history.ledger.prune_versions("har", {1});
  CHECK(history.pruned() == Numbers{1, 2, 3});
}

TEST_CASE("a version stays from which a round began whose updates are kept") {
  History history;
  CHECK(history.ledger.prune_versions("har", {1}, {2}) == 1);
  CHECK(history.pruned() == Numbers{1});  // rounds 4 and 2 began from versions 3 and 2
  CHECK(history.ledger.prune_versions("har", {1}, {1}) == 2);
  CHECK(history.pruned() == Numbers{1, 2});
  CHECK_FALSE(history.ledger.prune_versions("har", {1}, {}));
}

TEST_CASE("of pruned versions those blobs are unneeded that nothing else refers to") {
  History history;
  CHECK(history.ledger.unneeded_blobs("har", 0).empty());
  TaskRecord other = sample_task("other");
  other.archive_hash = digest_of("state 2");
  VersionRecord first = sample_version(1, 0, "other");
  first.weights_hash = digest_of("weights 3");
  history.ledger.add_task(other, first);
  CHECK(history.ledger.prune_versions("har", {1}) == 1);
  const std::vector<Digest> all = history.ledger.unneeded_blobs("har", 0);
  const std::set<Digest> unneeded(all.begin(), all.end());
  CHECK(unneeded == std::set<Digest>{digest_of("weights 1"), digest_of("weights 2"), digest_of("state 3"),
                                     digest_of("difference 2"), digest_of("difference 3")});
  const std::vector<Digest> newer = history.ledger.unneeded_blobs("har", 3);
  CHECK(std::set<Digest>(newer.begin(), newer.end()) ==
        std::set<Digest>{digest_of("state 3"), digest_of("difference 3")});
  CHECK(history.ledger.unneeded_blobs("other", 0).empty());
}
