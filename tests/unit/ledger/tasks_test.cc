#include <doctest/doctest.h>

#include "server/ledger/ledger.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

TEST_CASE("a task and its first version are read back as they were written") {
  const TemporaryFolder folder;
  {
    Ledger ledger(folder / "ledger.db");
    ledger.add_task(sample_task(), sample_version());
  }
  const Ledger ledger(folder / "ledger.db");
  const TaskRecord task = ledger.task("har").value();
  CHECK(to_json(task.plan) == to_json(sample_task().plan));
  CHECK(to_json(task.contract) == to_json(sample_task().contract));
  CHECK(task.layout.hash() == sample_task().layout.hash());
  CHECK(task.archive_hash == digest_of("archive"));
  CHECK(task.archive_bytes == 7);
  CHECK(task.created == at(100));
  const VersionRecord version = ledger.latest_version("har");
  CHECK(version.version == 1);
  CHECK(version.round == 0);
  CHECK(version.manifest.text == sample_version().manifest.text);
  CHECK(version.manifest.signature == sample_version().manifest.signature);
  CHECK(version.weights_hash == digest_of("weights 1"));
  CHECK(version.published == at(101));
}

TEST_CASE("tasks are listed in the order in which they were added") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  ledger.add_task(sample_task("zebra"), sample_version(1, 0, "zebra"));
  ledger.add_task(sample_task("ant"), sample_version(1, 0, "ant"));
  REQUIRE(ledger.tasks().size() == 2);
  CHECK(ledger.tasks()[0].name == "zebra");
  CHECK(ledger.tasks()[1].name == "ant");
}

TEST_CASE("a second task of the same name is refused and the first stays (I9)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  ledger.add_task(sample_task(), sample_version());
  TaskRecord other = sample_task();
  other.plan.round.goal = 99;
  CHECK(code_of([&] { ledger.add_task(other, sample_version()); }) == ErrorCode::already_exists);
  CHECK(ledger.task("har")->plan.round.goal == 3);
}

TEST_CASE("a task whose version cannot be added is not added either (I9)") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  CHECK(code_of([&] { ledger.add_task(sample_task(), sample_version(1, 0, "another")); }) ==
        ErrorCode::not_found);
  CHECK_FALSE(ledger.task("har").has_value());
  CHECK(ledger.tasks().empty());
}

TEST_CASE("what is not there is nothing or an error as the contract says") {
  const TemporaryFolder folder;
  const Ledger ledger(folder / "ledger.db");
  CHECK_FALSE(ledger.task("har").has_value());
  CHECK_FALSE(ledger.version("har", 1).has_value());
  CHECK(ledger.versions("har").empty());
  CHECK(code_of([&] { (void)ledger.latest_version("har"); }) == ErrorCode::not_found);
}

TEST_CASE("versions can be read from a number on") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  ledger.commit_round("har", 1, at(900), sample_version(2, 1));
  ledger.begin_round(sample_round(2, 2), {"a"});
  ledger.commit_round("har", 2, at(950), sample_version(3, 2));
  CHECK(ledger.versions("har").size() == 3);
  REQUIRE(ledger.versions("har", 1, 1).size() == 1);
  CHECK(ledger.versions("har", 1, 1).front().version == 2);
  CHECK(ledger.versions("har", 3, 10).empty());
  CHECK(ledger.version("har", 2)->round == 1);
}

TEST_CASE("a version's difference is kept with it and read with it wherever it is read") {
  const TemporaryFolder folder;
  Ledger ledger(folder / "ledger.db");
  fill(ledger);
  VersionRecord second = sample_version(2, 1);
  second.difference = {digest_of("weights 1"), digest_of("difference"), 17, Encoding::int8, 5};
  ledger.commit_round("har", 1, at(900), second);
  CHECK_FALSE(ledger.version("har", 1)->difference);
  for (const VersionRecord& version :
       {ledger.latest_version("har"), ledger.version("har", 2).value(), ledger.versions("har").back()}) {
    REQUIRE(version.difference);
    CHECK(version.difference->base == digest_of("weights 1"));
    CHECK(version.difference->hash == digest_of("difference"));
    CHECK(version.difference->bytes == 17);
    CHECK(version.difference->encoding == Encoding::int8);
    CHECK(version.difference->encoded == 5);
  }
}
