#include "server/care/home_copy.h"
#include "tests/unit/care/full_home.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

/// A home with an evaluation of version 1 that "a" of two devices has reported to, and an open one of
/// version 2.
struct EvaluatedHome : FullHome {
  EvaluatedHome() {
    ledger.begin_evaluation(sample_evaluation(1, 1), {"a", "b"});
    ledger.record_report("har", 1, sample_report("a"));
    EvaluationRecord ended = sample_evaluation(1, 1);
    ended.state = EvaluationState::complete;
    ended.summary = {1, 8, 0.3125, Spread(), 0.75, Spread()};
    ledger.close_evaluation(ended);
    ledger.begin_evaluation(sample_evaluation(2, 2), {"b"});
  }
};

}  // namespace

TEST_CASE("evaluations that fit their reports are no fault and go with a backup") {
  const EvaluatedHome full;
  CAPTURE(text_of(full.check()));
  CHECK(!full.check().has_faults());
  copy_home(full.home, full.folder / "copy", {});
  const Ledger copy = Ledger::snapshot(full.folder / "copy" / "ledger.db");
  const std::vector<EvaluationRecord> evaluations = copy.evaluations("har", 0, 10);
  REQUIRE(evaluations.size() == 2);
  CHECK(evaluations[0].summary.accuracy == 0.75);
  CHECK(evaluations[1].state == EvaluationState::open);
  CHECK(copy.evaluators("har", 1).size() == 2);
}

TEST_CASE("an evaluation that its reports do not add up to and one of nobody known are faults") {
  EvaluatedHome full;
  full.execute("UPDATE evaluators SET examples = 9 WHERE evaluation = 1 AND device = 'a'");
  full.execute("UPDATE evaluators SET device = 'nobody' WHERE evaluation = 2");
  const HomeReport report = full.check();
  CAPTURE(text_of(report));
  CHECK(finds(report, Finding::Kind::fault, "evaluation 1 of 'har'",
              "counts 1 devices and 8 examples, but 1 devices reported on 9"));
  CHECK(finds(report, Finding::Kind::fault, "ledger.db",
              "the table evaluators refers 1 times to what is not in the table devices"));
}
