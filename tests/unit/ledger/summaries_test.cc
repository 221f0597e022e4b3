#include <limits>

#include <doctest/doctest.h>

#include "server/ledger/ledger.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

TEST_CASE("a round's summary adds up what its participants did") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  ledger.add_task(sample_task(), sample_version());
  for (const char* id : {"a", "b", "c", "d", "e"}) enrol(ledger, id);
  ledger.begin_round(sample_round(1, 1), {"a", "b", "c", "d", "e"});
  ParticipantRecord first = accepted_update("a", 30);
  first.train_loss = 1.0;
  first.test_examples = 10;
  first.test_accuracy = 0.5;
  ParticipantRecord second = accepted_update("b", 10);
  second.train_loss = 2.0;
  second.test_examples = 30;
  second.test_accuracy = 0.9;
  ledger.record_updates("har", 1, {first});
  ledger.record_updates("har", 1, {second});
  ledger.record_updates("har", 1, {refused_update("c", "not_finite")});
  ledger.record_updates("har", 1, {refused_update("d", "delta_too_large")});
  ledger.commit_round("har", 1, at(900), sample_version(2, 1));

  REQUIRE(ledger.round_summaries("har", 0, 10).size() == 1);
  const RoundSummary summary = ledger.round_summaries("har", 0, 10).front();
  CHECK(summary.round.round == 1);
  CHECK(summary.round.state == RoundState::committed);
  CHECK(summary.version_made == 2);
  CHECK(summary.selected == 5);
  CHECK(summary.accepted == 2);
  CHECK(summary.refused == 2);
  CHECK(summary.refusals == std::map<std::string, std::uint32_t>{{"delta_too_large", 1}, {"not_finite", 1}});
  CHECK(summary.examples == 40);
  CHECK(summary.update_bytes == 48);
  CHECK(summary.train_loss.value() == doctest::Approx((30 * 1.0 + 10 * 2.0) / 40));
  CHECK(summary.test_accuracy.value() == doctest::Approx((10 * 0.5 + 30 * 0.9) / 40));
  CHECK(summary.test_loss.value() == doctest::Approx(0.75));
}

TEST_CASE("means leave out updates that have no such number") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  const RoundSummary before = ledger.round_summaries("har", 0, 10).front();
  CHECK(before.version_made == 0);
  CHECK(before.accepted == 0);
  CHECK_FALSE(before.train_loss.has_value());
  ParticipantRecord first = accepted_update("a");
  first.train_loss = std::numeric_limits<double>::quiet_NaN();
  first.test_examples = 0;
  ParticipantRecord second = accepted_update("b");
  second.test_accuracy = -1.0;
  ledger.record_updates("har", 1, {first});
  ledger.record_updates("har", 1, {second});
  const RoundSummary summary = ledger.round_summaries("har", 0, 10).front();
  CHECK(summary.train_loss.value() == doctest::Approx(0.5));
  CHECK_FALSE(summary.test_accuracy.has_value());
  CHECK(summary.test_loss.value() == doctest::Approx(0.75));
}

TEST_CASE("summaries can be read from a round on") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  ledger.abandon_round("har", 1, at(300), "too few");
  ledger.begin_round(sample_round(2, 1), {"a"});
  CHECK(ledger.round_summaries("har", 0, 10).size() == 2);
  CHECK(ledger.round_summaries("har", 0, 1).size() == 1);
  REQUIRE(ledger.round_summaries("har", 1, 10).size() == 1);
  CHECK(ledger.round_summaries("har", 1, 10).front().round.round == 2);
  CHECK(ledger.round_summaries("absent", 0, 10).empty());
}
