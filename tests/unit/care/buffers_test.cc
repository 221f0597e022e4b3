// What is kept of an asynchronous task's updates, which lie in the spool under no round's number.

#include "tests/unit/care/full_home.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

/// A home whose task is asynchronous: round 7 is open with an accepted update of device "a".
struct BufferHome : SampleHome {
  explicit BufferHome(const KeepCount& keep_updates = KeepCount{0}) {
    TaskRecord task = sample_task();
    task.plan.round.strategy = "fedbuff";
    task.plan.round.over_selection = 1;
    task.plan.round.keep_updates = keep_updates;
    task.plan.round.server_max_staleness = 4;
    registry.add_task(task, weights, at(100));
    enrol(ledger, "a");
    ledger.begin_round(sample_round(7, 1), {"a"});
    const std::string text(FullHome::update_text);
    IncomingUpdate update = spool.receive("har", 0, "a", FullHome::update_hash(), text.size());
    update.append(as_bytes(text));
    CHECK(update.finish());
    ParticipantRecord record = accepted_update("a");
    record.update_hash = FullHome::update_hash();
    record.update_bytes = text.size();
    ledger.record_updates("har", 7, {record});
  }

  HomeReport check() const { return check_home(home, Leftovers::report, {}); }

  UpdateSpool spool{home.spool_path()};
};

}  // namespace

TEST_CASE("a check knows an asynchronous task's updates from what rounds have left (I3)") {
  BufferHome full;
  CHECK(full.check().findings.empty());
  make_private_folder(full.home.spool_path() / "har" / "7");
  CHECK(finds(full.check(), Finding::Kind::leftover, "spool/har/7", "neither open"));
  std::filesystem::remove(full.spool.path("har", 0, "a", FullHome::update_hash()));
  CHECK(finds(full.check(), Finding::Kind::fault, "spool/har/0/a-", "is missing"));
}

TEST_CASE("what devices have begun to send of an asynchronous task is no leftover between two rounds") {
  BufferHome full;
  full.ledger.abandon_round("har", 7, at(900), "for this test");
  CHECK(full.check().findings.empty());
}

TEST_CASE("updates of an asynchronous task's committed rounds are kept as its plan says") {
  for (const std::uint32_t rounds : {0U, 1U}) {
    BufferHome full(KeepCount{rounds});
    const Weights next{2, 3, 4, 5, 6, 7};
    full.registry.commit_round("har", 7, {store_weights(full.blobs, sample_task().layout, next), {}},
                               at(900));
    CHECK(full.check().findings.empty());
    std::filesystem::remove(full.spool.path("har", 0, "a", FullHome::update_hash()));
    CHECK(full.check().findings.size() == rounds);
    CHECK(finds(full.check(), Finding::Kind::loss, "spool/har/0/a-", "is missing") == (rounds == 1));
  }
}
