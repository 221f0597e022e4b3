#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "server/ledger/ledger.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

TEST_CASE("a round that began is open with its cohort selected") {
  const TemporaryFolder folder;
  {
    Ledger ledger(folder / "ledger.db");
    fill(ledger);
  }
  const Ledger ledger(folder / "ledger.db");
  const RoundRecord round = ledger.open_round("har").value();
  CHECK(round.round == 1);
  CHECK(round.base_version == 1);
  CHECK(round.quantum == 0x1p-40);
  CHECK(round.opened == at(200));
  CHECK(round.deadline == at(800));
  const std::vector<ParticipantRecord> participants = ledger.participants("har", 1);
  REQUIRE(participants.size() == 2);
  CHECK(participants[0].device == "a");
  CHECK(participants[0].state == ParticipantState::selected);
  CHECK(participants[1].device == "b");
}

TEST_CASE("a second open round of a task is refused and another task's is not (I9)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  CHECK(code_of([&] { ledger.begin_round(sample_round(2, 1), {"a"}); }) == ErrorCode::already_exists);
  CHECK(ledger.rounds("har").size() == 1);
  ledger.add_task(sample_task("text"), sample_version(1, 0, "text"));
  ledger.begin_round(sample_round(1, 1, "text"), {"a"});
  CHECK(ledger.open_round("text").has_value());
}

TEST_CASE("a round of an unknown task or version or device is refused whole (I9)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  ledger.add_task(sample_task(), sample_version());
  enrol(ledger, "a");
  CHECK(code_of([&] { ledger.begin_round(sample_round(1, 1, "absent"), {}); }) == ErrorCode::not_found);
  CHECK(code_of([&] { ledger.begin_round(sample_round(1, 2), {"a"}); }) == ErrorCode::not_found);
  CHECK(code_of([&] { ledger.begin_round(sample_round(1, 1), {"a", "stranger"}); }) == ErrorCode::not_found);
  CHECK(code_of([&] { ledger.begin_round(sample_round(1, 1), {"a", "a"}); }) == ErrorCode::already_exists);
  CHECK_FALSE(ledger.open_round("har").has_value());
  CHECK(ledger.participants("har", 1).empty());
}

TEST_CASE("an accepted update is read back as it was recorded (I3)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  ledger.record_updates("har", 1, {accepted_update("a")});
  const ParticipantRecord update = ledger.participants("har", 1).front();
  CHECK(ledger.participant("har", 1, "a")->update_hash == update.update_hash);
  CHECK_FALSE(ledger.participant("har", 1, "c"));
  CHECK(update.state == ParticipantState::accepted);
  CHECK(update.at == at(300));
  CHECK(update.update_hash == digest_of("update of a"));
  CHECK(update.update_bytes == 24);
  CHECK(update.examples == 10);
  CHECK(update.train_loss == 0.5);
  CHECK(update.test_examples == 4);
  CHECK(update.test_loss == 0.75);
  CHECK(update.test_accuracy == 0.25);
}

TEST_CASE("an accepted update stands and none is counted twice (I3)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  ledger.record_updates("har", 1, {accepted_update("a", 10)});
  CHECK(code_of([&] { ledger.record_updates("har", 1, {accepted_update("a", 99)}); }) ==
        ErrorCode::already_exists);
  CHECK(code_of([&] { ledger.record_updates("har", 1, {refused_update("a", "late")}); }) ==
        ErrorCode::already_exists);
  CHECK(ledger.participants("har", 1).front().examples == 10);
}

TEST_CASE("updates that are recorded together are recorded all or none (I3)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  CHECK(code_of([&] { ledger.record_updates("har", 1, {accepted_update("a"), accepted_update("c")}); }) ==
        ErrorCode::not_found);
  CHECK(ledger.participants("har", 1).front().state == ParticipantState::selected);
  ledger.record_updates("har", 1, {accepted_update("a"), refused_update("b", "not_finite")});
  CHECK(ledger.participants("har", 1)[0].state == ParticipantState::accepted);
  CHECK(ledger.participants("har", 1)[1].state == ParticipantState::refused);
}

TEST_CASE("a refused update may be followed by an accepted one") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  ledger.record_updates("har", 1, {refused_update("a", "not_finite")});
  CHECK(ledger.participants("har", 1).front().state == ParticipantState::refused);
  CHECK(ledger.participants("har", 1).front().reason == "not_finite");
  ledger.record_updates("har", 1, {accepted_update("a")});
  CHECK(ledger.participants("har", 1).front().state == ParticipantState::accepted);
  CHECK(ledger.participants("har", 1).front().reason.empty());
}

TEST_CASE("losses that are not finite are kept as such") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  ParticipantRecord update = accepted_update("a");
  update.train_loss = std::numeric_limits<double>::quiet_NaN();
  update.test_loss = std::numeric_limits<double>::infinity();
  ledger.record_updates("har", 1, {update});
  CHECK(std::isnan(ledger.participants("har", 1).front().train_loss));
  CHECK(std::isnan(ledger.participants("har", 1).front().test_loss));
}

TEST_CASE("only a device of the cohort and only an open round take an update (I9)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  CHECK(code_of([&] { ledger.record_updates("har", 1, {accepted_update("c")}); }) == ErrorCode::not_found);
  CHECK(code_of([&] { ledger.record_updates("har", 7, {accepted_update("a")}); }) == ErrorCode::not_found);
  CHECK(code_of([&] { ledger.record_updates("absent", 1, {accepted_update("a")}); }) == ErrorCode::not_found);
  ledger.add_participant("har", 1, "c");
  ledger.record_updates("har", 1, {accepted_update("c")});
  ledger.commit_round("har", 1, at(900), sample_version(2, 1));
  CHECK(code_of([&] { ledger.record_updates("har", 1, {accepted_update("a")}); }) ==
        ErrorCode::failed_precondition);
  CHECK(code_of([&] { ledger.add_participant("har", 1, "a"); }) == ErrorCode::failed_precondition);
}

TEST_CASE("committing closes the round and publishes the next version or neither (I3)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  CHECK(code_of([&] { ledger.commit_round("har", 1, at(900), sample_version(3, 1)); }) ==
        ErrorCode::invalid_argument);
  CHECK(code_of([&] { ledger.commit_round("har", 1, at(900), sample_version(1, 1)); }) ==
        ErrorCode::invalid_argument);
  CHECK(code_of([&] { ledger.commit_round("har", 1, at(900), sample_version(2, 9)); }) ==
        ErrorCode::invalid_argument);
  CHECK(ledger.open_round("har").has_value());
  CHECK(ledger.latest_version("har").version == 1);

  ledger.commit_round("har", 1, at(900), sample_version(2, 1));
  CHECK_FALSE(ledger.open_round("har").has_value());
  CHECK(ledger.rounds("har").front().state == RoundState::committed);
  CHECK(ledger.rounds("har").front().closed == at(900));
  CHECK(ledger.latest_version("har").version == 2);
  CHECK(code_of([&] { ledger.commit_round("har", 1, at(901), sample_version(3, 1)); }) ==
        ErrorCode::failed_precondition);
}

TEST_CASE("a round's end records what became of those who sent no update and of nobody else") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  ledger.add_participant("har", 1, "c");
  ParticipantRecord declined = refused_update("b", "no power");
  declined.state = ParticipantState::declined;
  ledger.record_updates("har", 1, {accepted_update("a"), declined});
  const Endings endings = {
      {"a", ParticipantState::late}, {"b", ParticipantState::dropped}, {"c", ParticipantState::surplus}};
  ledger.commit_round("har", 1, at(900), sample_version(2, 1), endings);
  const std::vector<ParticipantRecord> participants = ledger.participants("har", 1);
  REQUIRE(participants.size() == 3);
  CHECK(participants[0].state == ParticipantState::accepted);
  CHECK(participants[1].state == ParticipantState::declined);
  CHECK(participants[1].reason == "no power");
  CHECK(participants[2].state == ParticipantState::surplus);
  const RoundSummary summary = ledger.round_summaries("har", 0, 1).front();
  CHECK(summary.selected == 3);
  CHECK(summary.accepted == 1);
  CHECK(summary.refused == 0);
  CHECK(summary.declined == 1);
  CHECK(summary.surplus == 1);
  CHECK(summary.late == 0);
  CHECK(summary.refusals == std::map<std::string, std::uint32_t>{{"no power", 1}});

  ledger.begin_round(sample_round(2, 2), {"a", "b"});
  ledger.abandon_round("har", 2, at(950), "too few updates",
                       {{"a", ParticipantState::late}, {"b", ParticipantState::dropped}});
  const RoundSummary abandoned = ledger.round_summaries("har", 1, 1).front();
  CHECK(abandoned.late == 1);
  CHECK(abandoned.dropped == 1);
}

TEST_CASE("an abandoned round keeps its number and its updates and says why (I3)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  ledger.record_updates("har", 1, {accepted_update("a")});
  ledger.abandon_round("har", 1, at(900), "too few updates");
  CHECK_FALSE(ledger.open_round("har").has_value());
  CHECK(ledger.rounds("har").front().state == RoundState::abandoned);
  CHECK(ledger.rounds("har").front().reason == "too few updates");
  CHECK(ledger.participants("har", 1).front().state == ParticipantState::accepted);
  CHECK(ledger.latest_version("har").version == 1);
  CHECK(code_of([&] { ledger.begin_round(sample_round(1, 1), {"a"}); }) == ErrorCode::already_exists);
  ledger.begin_round(sample_round(2, 1), {"a"});
  CHECK(ledger.open_round("har")->round == 2);
  CHECK(code_of([&] { ledger.abandon_round("har", 9, at(1), ""); }) == ErrorCode::not_found);
}
