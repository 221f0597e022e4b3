#include <doctest/doctest.h>

#include "server/ledger/ledger.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

TEST_CASE("a device took part when its last update was accepted that is in a version") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  ParticipantRecord first = accepted_update("a");
  first.at = at(300);
  ledger.record_updates("har", 1, {first, refused_update("b", "not_finite")});
  CHECK(ledger.participations("har").empty());
  ledger.commit_round("har", 1, at(900), sample_version(2, 1));
  CHECK(ledger.participations("har") == std::map<std::string, Timestamp>{{"a", at(300)}});

  ledger.begin_round(sample_round(2, 2), {"a", "b", "c"});
  ParticipantRecord second = accepted_update("b");
  second.at = at(1000);
  first.at = at(1001);
  ledger.record_updates("har", 2, {first, second});
  ledger.abandon_round("har", 2, at(1100), "too few");
  CHECK(ledger.participations("har") == std::map<std::string, Timestamp>{{"a", at(300)}});

  ledger.begin_round(sample_round(3, 2), {"a", "b", "c"});
  ledger.record_updates("har", 3, {first, second});
  ledger.commit_round("har", 3, at(1200), sample_version(3, 3));
  CHECK(ledger.participations("har") == std::map<std::string, Timestamp>{{"a", at(1001)}, {"b", at(1000)}});
  CHECK(ledger.participations("another").empty());
}
