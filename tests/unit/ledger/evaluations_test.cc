#include <doctest/doctest.h>

#include "server/ledger/ledger.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

constexpr std::uint32_t any_number = 1'000;

/// A ledger in which "a" and "b" evaluate version 1.
struct Evaluating {
  Evaluating() {
    ledger.add_task(sample_task(), sample_version());
    for (const char* id : {"a", "b", "c"}) enrol(ledger, id);
    ledger.begin_evaluation(sample_evaluation(1, 1), {"a", "b"});
  }

  EvaluatorRecord evaluator(const std::string& device) const {
    for (const EvaluatorRecord& one : ledger.evaluators("har", 1)) {
      if (one.device == device) return one;
    }
    return {};
  }

  TemporaryFolder folder;
  Ledger ledger{folder / "ledger.db"};
};

}  // namespace

TEST_CASE("an evaluation that began is open with its devices selected and survives") {
  Evaluating made;
  made.ledger.add_evaluators("har", 1, {"c"}, at(310));
  const Ledger again = Ledger::snapshot(made.folder / "ledger.db");
  const std::vector<EvaluationRecord> evaluations = again.evaluations("har", 0, any_number);
  REQUIRE(evaluations.size() == 1);
  CHECK(evaluations[0].evaluation == 1);
  CHECK(evaluations[0].version == 1);
  CHECK(evaluations[0].state == EvaluationState::open);
  CHECK(evaluations[0].opened == at(300));
  CHECK(evaluations[0].deadline == at(900));
  CHECK_FALSE(evaluations[0].summary.loss);
  const std::vector<EvaluatorRecord> evaluators = again.evaluators("har", 1);
  REQUIRE(evaluators.size() == 3);
  for (const EvaluatorRecord& one : evaluators) CHECK(one.state == EvaluatorState::selected);
}

TEST_CASE("a report is read back as it was recorded and a refusal with its reason (I3)") {
  Evaluating made;
  made.ledger.record_report("har", 1, sample_report("a"));
  EvaluatorRecord refused;
  refused.device = "b";
  refused.state = EvaluatorState::refused;
  refused.reason = "no examples";
  made.ledger.record_report("har", 1, refused, Durability::relaxed);
  CHECK(made.evaluator("a").state == EvaluatorState::reported);
  CHECK(made.evaluator("a").examples == 8);
  CHECK(made.evaluator("a").loss_sum == 2.5);
  CHECK(made.evaluator("a").correct == 6.0);
  CHECK(made.evaluator("a").at == at(400));
  CHECK(made.evaluator("b").state == EvaluatorState::refused);
  CHECK(made.evaluator("b").reason == "no examples");
  CHECK_FALSE(made.evaluator("b").correct);
}

TEST_CASE("a second report and one of a device that was not selected are refused (I9)") {
  Evaluating made;
  made.ledger.record_report("har", 1, sample_report("a"));
  const auto code_of_report = [&](const std::string& device, std::uint64_t evaluation) {
    return code_of([&] { made.ledger.record_report("har", evaluation, sample_report(device)); });
  };
  CHECK(code_of_report("a", 1) == ErrorCode::failed_precondition);
  CHECK(code_of_report("c", 1) == ErrorCode::failed_precondition);
  CHECK(code_of_report("b", 2) == ErrorCode::not_found);
  CHECK(code_of([&] { made.ledger.add_evaluators("har", 1, {"c", "a"}, at(310)); }) ==
        ErrorCode::already_exists);
  CHECK(made.ledger.evaluators("har", 1).size() == 2);
}

TEST_CASE("an evaluation is closed once with what its reports add up to") {
  Evaluating made;
  EvaluationRecord ended = sample_evaluation(1, 1);
  ended.state = EvaluationState::incomplete;
  ended.closed = at(905);
  ended.reason = "its time was over";
  ended.summary = {3, 40, 0.5, Spread{0.1, 0.2, 0.3, 0.4, 0.5}, std::nullopt, std::nullopt};
  made.ledger.close_evaluation(ended);
  const EvaluationRecord read = made.ledger.evaluations("har", 0, any_number).front();
  CHECK(read.state == EvaluationState::incomplete);
  CHECK(read.closed == at(905));
  CHECK(read.reason == "its time was over");
  CHECK(read.summary.devices == 3);
  CHECK(read.summary.examples == 40);
  CHECK(read.summary.loss == 0.5);
  REQUIRE(read.summary.loss_spread);
  CHECK(read.summary.loss_spread->p10 == 0.2);
  CHECK(read.summary.loss_spread->max == 0.5);
  CHECK_FALSE(read.summary.accuracy);
  CHECK_FALSE(read.summary.accuracy_spread);
  CHECK(code_of([&] { made.ledger.close_evaluation(ended); }) == ErrorCode::failed_precondition);
  CHECK(code_of([&] { made.ledger.record_report("har", 1, sample_report("a")); }) ==
        ErrorCode::failed_precondition);
  CHECK(code_of([&] { made.ledger.add_evaluators("har", 1, {"c"}, at(910)); }) ==
        ErrorCode::failed_precondition);
}

TEST_CASE("of a task one evaluation is open and a version has one and both must be there (I9)") {
  Evaluating made;
  const auto code_of_another = [&](std::uint64_t evaluation, std::uint64_t version) {
    return code_of([&] { made.ledger.begin_evaluation(sample_evaluation(evaluation, version), {"c"}); });
  };
  made.ledger.begin_round(sample_round(1, 1), {"a"});
  made.ledger.commit_round("har", 1, at(900), sample_version(2, 1));
  CHECK(code_of_another(2, 2) == ErrorCode::already_exists);
  EvaluationRecord ended = sample_evaluation(1, 1);
  ended.state = EvaluationState::complete;
  made.ledger.close_evaluation(ended);
  CHECK(code_of_another(2, 1) == ErrorCode::already_exists);
  CHECK(code_of_another(2, 3) == ErrorCode::not_found);
  CHECK_FALSE(code_of_another(2, 2));
  CHECK(made.ledger.evaluations("har", 1, any_number).front().evaluation == 2);
  CHECK(made.ledger.evaluations("har", 0, 1).front().evaluation == 1);
  CHECK(made.ledger.evaluations("absent", 0, any_number).empty());
}
