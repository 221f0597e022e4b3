// What the ledger keeps of asynchronous tasks, whose updates may count in a later round than offered them.

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

ParticipantRecord late_update(const std::string& device, std::uint64_t offered, std::uint64_t staleness) {
  ParticipantRecord update = accepted_update(device);
  update.offered = offered;
  update.staleness = staleness;
  return update;
}

/// Rounds 1 and 2 are committed, 3 is open: "a", "b" and "c" were given work in the first, "b" in the third
/// again.
void fill_buffers(Ledger& ledger) {
  ledger.add_task(sample_task(), sample_version());
  for (const char* id : {"a", "b", "c"}) enrol(ledger, id);
  ledger.begin_round(sample_round(1, 1), {"a", "b", "c"});
  ledger.record_updates("har", 1, {accepted_update("a")});
  ledger.commit_round("har", 1, at(900), sample_version(2, 1));
  ledger.begin_round(sample_round(2, 2), {"a"});
  ledger.commit_round("har", 2, at(901), sample_version(3, 2));
  ledger.begin_round(sample_round(3, 3), {});
  ledger.add_participant("har", 3, "b");
}

std::string text(const std::vector<OpenWorkRecord>& works) {
  std::string text;
  for (const OpenWorkRecord& work : works) {
    text += work.device + " of round " + std::to_string(work.round) + " from version " +
            std::to_string(work.base_version) + "; ";
  }
  return text;
}

}  // namespace

TEST_CASE("an update counts in the round that it came in and its device has no part in the one before (I3)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill_buffers(ledger);
  ledger.record_updates("har", 3, {late_update("c", 1, 2)});
  const std::vector<ParticipantRecord> there = ledger.participants("har", 3);
  REQUIRE(there.size() == 2);
  CHECK(there[1].device == "c");
  CHECK(there[1].state == ParticipantState::accepted);
  CHECK(there[1].offered == 1);
  CHECK(there[1].staleness == 2);
  for (const ParticipantRecord& device : ledger.participants("har", 1)) CHECK(device.device != "c");
}

TEST_CASE("work of an earlier round is done once and by the device that was given it (I3)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill_buffers(ledger);
  ledger.record_updates("har", 3, {late_update("c", 1, 2)});
  CHECK(code_of([&] { ledger.record_updates("har", 3, {late_update("c", 1, 2)}); }) ==
        ErrorCode::already_exists);
  CHECK(code_of([&] { ledger.record_updates("har", 3, {late_update("c", 2, 1)}); }) ==
        ErrorCode::already_exists);
  CHECK(code_of([&] { ledger.record_updates("har", 3, {late_update("a", 1, 2)}); }) ==
        ErrorCode::already_exists);
  enrol(ledger, "stranger");
  CHECK(code_of([&] { ledger.record_updates("har", 3, {late_update("stranger", 1, 2)}); }) ==
        ErrorCode::not_found);
  CHECK(ledger.participants("har", 3).size() == 2);
}

TEST_CASE("open work is what each device was given last and has not done, from a version on") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill_buffers(ledger);
  CHECK(text(ledger.open_work("har", 1)) ==
        "a of round 2 from version 2; b of round 3 from version 3; c of round 1 from version 1; ");
  CHECK(text(ledger.open_work("har", 2)) == "a of round 2 from version 2; b of round 3 from version 3; ");
  ledger.record_updates("har", 3, {late_update("a", 2, 1), late_update("b", 3, 0)});
  CHECK(text(ledger.open_work("har", 1)) == "c of round 1 from version 1; ");
  ParticipantRecord refused = refused_update("c", "not_finite");
  refused.offered = 1;
  ledger.record_updates("har", 3, {refused});
  CHECK(ledger.open_work("har", 1).empty());
  CHECK(ledger.open_work("absent", 1).empty());
}
