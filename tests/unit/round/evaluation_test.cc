#include "server/round/evaluation.h"

#include <doctest/doctest.h>

#include "tests/unit/round/told.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

EvaluationPlan plan_of(std::uint32_t goal, std::uint32_t minimum) {
  return {1, goal, minimum, 100};
}

VersionEvaluation evaluation_of(std::uint32_t goal, std::uint32_t minimum, std::uint64_t number = 1) {
  return {number, 7, plan_of(goal, minimum), 42};
}

std::vector<std::string> offered(const EvaluationActions& actions) {
  return devices_of<OfferEvaluation>(actions);
}

EvaluationActions ask(VersionEvaluation& evaluation, const std::vector<std::string>& devices,
                      Timestamp now = start) {
  for (const std::string& device : devices) evaluation.device_arrived(device);
  return evaluation.time_passed(now);
}

/// The end that these actions tell of, which must be the first.
EndEvaluation end_in(const EvaluationActions& actions) {
  REQUIRE(!actions.empty());
  REQUIRE(std::holds_alternative<EndEvaluation>(actions.front()));
  return std::get<EndEvaluation>(actions.front());
}

}  // namespace

TEST_CASE("an evaluation begins with the first devices that come and ends with its goal") {
  VersionEvaluation evaluation = evaluation_of(2, 1);
  CHECK(!evaluation.wake_after(start));
  const EvaluationActions actions = ask(evaluation, {"a"});
  REQUIRE(all<BeginEvaluation>(actions).size() == 1);
  CHECK(std::holds_alternative<BeginEvaluation>(actions.front()));
  CHECK(all<BeginEvaluation>(actions).front().devices == std::vector<std::string>{"a"});
  CHECK(all<BeginEvaluation>(actions).front().deadline == after(100));
  CHECK(offered(actions) == std::vector<std::string>{"a"});
  CHECK(evaluation.reported("a").empty());
  const EvaluationActions more = ask(evaluation, {"b"}, after(1));
  CHECK(all<AddEvaluators>(more).front().devices == std::vector<std::string>{"b"});
  const EndEvaluation end = end_in(evaluation.reported("b"));
  CHECK(end.complete);
  CHECK(end.reason.empty());
  CHECK(evaluation.phase() == EvaluationPhase::complete);
  CHECK(evaluation.admission("a") == Admission::already_accepted);
}

TEST_CASE("of devices that ask together as many as there are places are chosen whatever their order (I4)") {
  VersionEvaluation forwards = evaluation_of(3, 1);
  VersionEvaluation backwards = evaluation_of(3, 1);
  const EvaluationActions actions = ask(forwards, {"a", "b", "c", "d", "e", "f"});
  CHECK(offered(actions).size() == 3);
  CHECK(all<TurnAway>(actions).size() == 3);
  CHECK(offered(ask(backwards, {"f", "e", "d", "c", "b", "a"})) == offered(actions));
  bool differs = false;
  for (std::uint64_t number = 2; number < 12; ++number) {
    VersionEvaluation another = evaluation_of(3, 1, number);
    differs = differs || offered(ask(another, {"a", "b", "c", "d", "e", "f"})) != offered(actions);
  }
  CHECK(differs);
}

TEST_CASE("a device that has reported or was refused is of no use and others take the refused one's place") {
  VersionEvaluation evaluation = evaluation_of(3, 1);
  ask(evaluation, {"a", "b", "c"});
  CHECK_FALSE(evaluation.has_use_for("d"));
  evaluation.reported("a");
  evaluation.refused("b");
  CHECK_FALSE(evaluation.has_use_for("a"));
  CHECK_FALSE(evaluation.has_use_for("b"));
  CHECK(evaluation.has_use_for("d"));
  CHECK(evaluation.admission("b") == Admission::not_selected);
  CHECK(evaluation.admission("d") == Admission::not_selected);
  CHECK(offered(ask(evaluation, {"d", "e"})).size() == 1);
}

TEST_CASE("a device that lost its connection is offered the same again and before newcomers") {
  VersionEvaluation evaluation = evaluation_of(1, 1);
  ask(evaluation, {"m"});
  evaluation.device_left("m");
  CHECK(evaluation.has_use_for("m"));
  const EvaluationActions actions = ask(evaluation, {"a", "m"}, after(3));
  CHECK(offered(actions) == std::vector<std::string>{"m"});
  CHECK(all<TurnAway>(actions).size() == 1);
}

TEST_CASE("at the deadline less than the minimum is incomplete and no report counts any more") {
  VersionEvaluation enough = evaluation_of(3, 1);
  ask(enough, {"a", "b"});
  enough.reported("a");
  CHECK(enough.wake_after(after(1)) == after(100));
  CHECK(enough.time_passed(after(99)).empty());
  const EndEvaluation end = end_in(enough.time_passed(after(100)));
  CHECK(end.complete);
  CHECK(end.reason == "its time was over");
  CHECK(enough.admission("b") == Admission::round_closed);
  CHECK(enough.time_passed(after(200)).empty());

  VersionEvaluation few = evaluation_of(3, 2);
  ask(few, {"a", "b"});
  few.reported("a");
  CHECK_FALSE(end_in(few.time_passed(after(100))).complete);
  CHECK(few.phase() == EvaluationPhase::incomplete);
}

TEST_CASE("once a newer version is there nobody new is chosen and it ends when nobody is left to wait for") {
  VersionEvaluation evaluation = evaluation_of(3, 1);
  ask(evaluation, {"a", "b"});
  CHECK(evaluation.version_published(false).empty());
  CHECK_FALSE(evaluation.has_use_for("c"));
  CHECK(offered(ask(evaluation, {"c"}, after(1))).empty());
  CHECK(evaluation.reported("a").empty());
  const EndEvaluation end = end_in(evaluation.refused("b"));
  CHECK(end.complete);
  CHECK(end.reason == "a newer version came");
}

TEST_CASE("the next version that is to be evaluated ends an evaluation and who waits is turned away") {
  VersionEvaluation evaluation = evaluation_of(3, 2);
  ask(evaluation, {"a"});
  evaluation.device_arrived("b");
  const EvaluationActions actions = evaluation.version_published(true);
  CHECK_FALSE(end_in(actions).complete);
  REQUIRE(all<TurnAway>(actions).size() == 1);
  CHECK(all<TurnAway>(actions).front().device == "b");

  VersionEvaluation unused = evaluation_of(3, 2);
  CHECK(unused.version_published(true).empty());
  CHECK(unused.phase() == EvaluationPhase::waiting);
}

TEST_CASE("a resumed evaluation keeps its reports and gives its devices their time again (I3)") {
  VersionEvaluation evaluation =
      VersionEvaluation::resume(evaluation_of(3, 2), after(50), {"a", "b", "c"}, {"a"}, {"c"});
  CHECK(evaluation.phase() == EvaluationPhase::running);
  CHECK(evaluation.deadline() == after(150));
  CHECK(evaluation.admission("a") == Admission::already_accepted);
  CHECK(evaluation.admission("b") == Admission::admitted);
  CHECK(evaluation.admission("c") == Admission::not_selected);
  CHECK(offered(ask(evaluation, {"b"}, after(51))) == std::vector<std::string>{"b"});

  VersionEvaluation done = VersionEvaluation::resume(evaluation_of(1, 1), start, {"a"}, {"a"}, {});
  CHECK(end_in(done.time_passed(start)).complete);
}

TEST_CASE("a clock that is set back makes no evaluation longer than the plan has it") {
  const Timestamp before = start - std::chrono::hours(48);
  VersionEvaluation evaluation = evaluation_of(3, 1);
  ask(evaluation, {"a"});
  CHECK(evaluation.wake_after(before) == before + std::chrono::seconds(100));
  CHECK(evaluation.time_passed(before).empty());
  CHECK_FALSE(end_in(evaluation.time_passed(before + std::chrono::seconds(100))).complete);
}
