#include "server/round/round.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "tests/unit/round/told.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

RoundPlan plan_of(std::uint32_t goal, std::uint32_t minimum, double over_selection = 1.0) {
  RoundPlan plan;
  plan.goal = goal;
  plan.minimum = minimum;
  plan.over_selection = over_selection;
  plan.selection_seconds = 10;
  plan.deadline_seconds = 100;
  return plan;
}

std::vector<std::string> offered(const RoundActions& actions) {
  return devices_of<Offer>(actions);
}

/// A round in which a, b and c train.
Round training_round(std::uint32_t minimum = 2) {
  Round round(1, plan_of(3, minimum), start);
  for (const char* device : {"a", "b", "c"}) round.device_arrived(device);
  CHECK(offered(round.time_passed(start)).size() == 3);
  return round;
}

}  // namespace

TEST_CASE("a round waits for its goal and then offers work to all it chose") {
  Round round(1, plan_of(2, 1), start);
  round.device_arrived("a");
  CHECK(round.time_passed(start).empty());
  round.device_arrived("b");
  const RoundActions actions = round.time_passed(after(1));
  REQUIRE(all<BeginTraining>(actions).size() == 1);
  CHECK(std::holds_alternative<BeginTraining>(actions.front()));
  CHECK(all<BeginTraining>(actions).front().cohort == std::vector<std::string>{"a", "b"});
  CHECK(all<BeginTraining>(actions).front().deadline == after(101));
  CHECK(offered(actions) == std::vector<std::string>{"a", "b"});
  CHECK(round.phase() == RoundPhase::training);
}

TEST_CASE("once the time for selection is over the minimum suffices") {
  Round round(1, plan_of(5, 2), start);
  round.device_arrived("a");
  CHECK(round.wake_after(start) == after(10));
  CHECK(round.time_passed(after(11)).empty());
  CHECK(!round.wake_after(after(11)));
  round.device_arrived("b");
  CHECK(offered(round.time_passed(after(12))).size() == 2);
}

TEST_CASE("more devices than places are told to ask again later") {
  Round round(1, plan_of(2, 2, 1.5), start);
  for (const char* device : {"a", "b", "c", "d", "e"}) round.device_arrived(device);
  const RoundActions actions = round.time_passed(start);
  CHECK(offered(actions).size() == 3);
  CHECK(all<Later>(actions).size() == 2);
  CHECK(all<Later>(actions).front().retry_after == std::chrono::seconds(60));
}

TEST_CASE("the choice does not depend on the order of arrival (I4)") {
  const std::vector<std::string> devices = {"a", "b", "c", "d", "e", "f"};
  Round forwards(4, plan_of(3, 3), start);
  Round backwards(4, plan_of(3, 3), start);
  for (const std::string& device : devices) forwards.device_arrived(device);
  for (const char* device : {"f", "e", "d", "c", "b", "a"}) backwards.device_arrived(device);
  CHECK(offered(forwards.time_passed(start)) == offered(backwards.time_passed(start)));
  CHECK(forwards.device_seed("a") == backwards.device_seed("a"));
  CHECK(forwards.device_seed("a") != forwards.device_seed("b"));
}

TEST_CASE("the goal completes a round and later updates find it closed") {
  Round round(1, plan_of(2, 2, 1.5), start);
  for (const char* device : {"a", "b", "c"}) round.device_arrived(device);
  round.time_passed(start);
  CHECK(round.admission("a") == Admission::admitted);
  CHECK(round.update_accepted("a").empty());
  CHECK(round.admission("a") == Admission::already_accepted);
  CHECK(all<Aggregate>(round.update_accepted("b")).size() == 1);
  CHECK(round.admission("c") == Admission::round_closed);
  CHECK(round.phase() == RoundPhase::aggregating);
  round.committed();
  CHECK(round.phase() == RoundPhase::committed);
  CHECK(round.admission("a") == Admission::already_accepted);
}

TEST_CASE("a device outside the cohort is not admitted") {
  Round round = training_round();
  CHECK(round.admission("stranger") == Admission::not_selected);
}

TEST_CASE("at the deadline the minimum commits and less abandons") {
  Round enough = training_round();
  enough.update_accepted("a");
  enough.update_accepted("b");
  CHECK(enough.wake_after(after(1)) == after(100));
  CHECK(enough.time_passed(after(99)).empty());
  CHECK(all<Aggregate>(enough.time_passed(after(100))).size() == 1);

  Round few = training_round();
  few.update_accepted("a");
  const RoundActions actions = few.time_passed(after(100));
  REQUIRE(all<Abandon>(actions).size() == 1);
  CHECK(all<Abandon>(actions).front().reason == "1 of at least 2 updates had come at the deadline");
  CHECK(few.phase() == RoundPhase::abandoned);
}

TEST_CASE("a round does not wait for the deadline when nobody is left to wait for") {
  Round round = training_round();
  round.update_accepted("a");
  CHECK(round.update_refused("b").empty());
  CHECK(all<Aggregate>(round.update_accepted("c")).size() == 1);
}

TEST_CASE("a device that lost its connection is offered the same work again") {
  Round round = training_round();
  round.device_left("b");
  round.device_arrived("b");
  CHECK(offered(round.time_passed(after(5))) == std::vector<std::string>{"b"});
  CHECK(all<Offer>(round.time_passed(after(5))).empty());
}

TEST_CASE("a newcomer joins mid-round only where a place is free") {
  Round round = training_round();
  round.device_arrived("d");
  CHECK(all<Later>(round.time_passed(after(5))).size() == 1);
  round.device_left("c");
  round.device_arrived("d");
  const std::vector<Offer> offers = all<Offer>(round.time_passed(after(6)));
  REQUIRE(offers.size() == 1);
  CHECK(offers.front().joins);
  CHECK(round.admission("d") == Admission::admitted);
  CHECK(round.admission("c") == Admission::admitted);
}

TEST_CASE("devices that come back have their places before newcomers whatever their names") {
  Round round = Round::resume(7, plan_of(2, 2), start, {"m", "n"}, {}, {});
  for (const char* device : {"a", "m", "n", "z"}) round.device_arrived(device);
  const RoundActions actions = round.time_passed(after(1));
  CHECK(offered(actions) == std::vector<std::string>{"m", "n"});
  CHECK(all<Later>(actions).size() == 2);
}

TEST_CASE("a tenth more than ten devices are eleven") {
  Round round(1, plan_of(10, 2, 1.1), start);
  for (char device = 'a'; device < 'k'; ++device) round.device_arrived(std::string(1, device));
  CHECK(round.time_passed(start).empty());
  round.device_arrived("k");
  CHECK(offered(round.time_passed(start)).size() == 11);
}

TEST_CASE("a clock that is set back makes no wait longer than the plan has it") {
  const Timestamp before = start - std::chrono::hours(48);
  Round selecting(1, plan_of(3, 2), start);
  for (const char* device : {"a", "b"}) selecting.device_arrived(device);
  CHECK(selecting.time_passed(before).empty());
  CHECK(selecting.wake_after(before) == before + std::chrono::seconds(10));
  CHECK(offered(selecting.time_passed(before + std::chrono::seconds(10))).size() == 2);

  Round training = training_round();
  training.update_accepted("a");
  CHECK(training.wake_after(before) == before + std::chrono::seconds(100));
  CHECK(training.time_passed(before).empty());
  CHECK(all<Abandon>(training.time_passed(before + std::chrono::seconds(100))).size() == 1);
}

TEST_CASE("a device whose update counts already is told to wait for the next round") {
  Round round = training_round();
  round.update_accepted("a");
  round.device_arrived("a");
  CHECK(all<Later>(round.time_passed(after(1))).size() == 1);
}

TEST_CASE("a round with a pause begins after it whoever waits") {
  Round round(4, plan_of(2, 1), start, std::chrono::seconds(64));
  for (const char* device : {"a", "b"}) round.device_arrived(device);
  CHECK(round.time_passed(after(63)).empty());
  CHECK(round.waiting().size() == 2);
  CHECK(round.wake_after(after(63)) == after(64));
  CHECK(offered(round.time_passed(after(64))).size() == 2);

  Round early(4, plan_of(2, 1), start, std::chrono::seconds(5));
  CHECK(early.wake_after(start) == after(5));
  CHECK(early.wake_after(after(5)) == after(10));
}

TEST_CASE("a small fleet that cannot over-select begins when all of its devices ask") {
  Round round(1, plan_of(6, 2, 1.3), start);
  round.crowd_is({6, {}});
  for (const char* device : {"a", "b", "c", "d", "e"}) round.device_arrived(device);
  CHECK(round.time_passed(start).empty());
  round.device_arrived("f");
  CHECK(offered(round.time_passed(start)).size() == 6);
}

TEST_CASE("for devices beyond the goal a round waits two seconds and then they may join") {
  Round round(1, plan_of(2, 1, 1.5), start);
  round.crowd_is({4, {}});
  for (const char* device : {"a", "b"}) round.device_arrived(device);
  CHECK(round.time_passed(start).empty());
  CHECK(round.wake_after(start) == after(2));
  CHECK(offered(round.time_passed(after(2))).size() == 2);
  for (const char* device : {"c", "d"}) round.device_arrived(device);
  const RoundActions actions = round.time_passed(after(3));
  REQUIRE(all<Offer>(actions).size() == 1);
  CHECK(all<Offer>(actions).front().joins);
  CHECK(all<Later>(actions).size() == 1);
}

TEST_CASE("a device that left before the two seconds does not count for the goal") {
  Round round(1, plan_of(2, 2, 1.5), start);
  for (const char* device : {"a", "b"}) round.device_arrived(device);
  CHECK(round.time_passed(start).empty());
  round.device_left("b");
  CHECK(round.time_passed(after(1)).empty());
  round.device_arrived("c");
  CHECK(round.time_passed(after(2)).empty());
  CHECK(offered(round.time_passed(after(4))) == std::vector<std::string>{"a", "c"});
}

TEST_CASE("a round sampled by who took part least recently gathers and then takes those") {
  RoundPlan plan = plan_of(2, 1);
  plan.sampling = Sampling::least_recent;
  Round round(1, plan, start);
  round.device_arrived("a", after(-10));
  round.device_arrived("b", after(-20));
  CHECK(round.time_passed(start).empty());
  round.device_arrived("c");
  round.device_arrived("d", after(-30));
  CHECK(offered(round.time_passed(after(2))) == std::vector<std::string>{"c", "d"});

  Round small(1, plan, start);
  small.crowd_is({2, {}});
  small.device_arrived("a", after(-10));
  small.device_arrived("b", after(-20));
  CHECK(offered(small.time_passed(start)).size() == 2);
}

TEST_CASE("of newcomers who join not the first by name are taken but as the seed says") {
  std::set<std::string> joined;
  for (std::uint64_t number = 1; number <= 40; ++number) {
    Round round = Round::resume(number, plan_of(2, 2), start, {"m"}, {"m"}, {});
    for (const char* device : {"a", "b", "c", "d"}) round.device_arrived(device);
    for (const std::string& device : offered(round.time_passed(after(1)))) joined.insert(device);
  }
  CHECK(joined == std::set<std::string>{"a", "b", "c", "d"});
}

TEST_CASE("a device that took part rests for the period and is told when it is over") {
  RoundPlan plan = plan_of(2, 2);
  plan.min_period_seconds = 3'600;
  Round round(8, plan, start);
  round.device_arrived("a", after(-600));
  round.device_arrived("b", after(-3'600));
  round.device_arrived("c");
  const RoundActions actions = round.time_passed(start);
  CHECK(offered(actions) == std::vector<std::string>{"b", "c"});
  REQUIRE(all<Later>(actions).size() == 1);
  const Later later = all<Later>(actions).front();
  CHECK(later.device == "a");
  CHECK(later.retry_after == std::chrono::seconds(3'000));
  CHECK(later.firm);
  CHECK(later.reason == "a device takes part once in 3600 s");
}

TEST_CASE("a device that rests waits in no selection and takes no free place") {
  RoundPlan plan = plan_of(2, 1);
  plan.min_period_seconds = 3'600;
  Round round(8, plan, start);
  round.device_arrived("a", after(-1));
  CHECK(all<Later>(round.time_passed(after(20))).size() == 1);
  CHECK(round.waiting().empty());
  round.device_arrived("b");
  CHECK(offered(round.time_passed(after(20))) == std::vector<std::string>{"b"});
  round.device_arrived("a", after(-1));
  const RoundActions actions = round.time_passed(after(21));
  CHECK(offered(actions).empty());
  REQUIRE(all<Later>(actions).size() == 1);
  CHECK(all<Later>(actions).front().retry_after == std::chrono::seconds(3'578));
}

TEST_CASE("a device whose update is in no version yet does not rest") {
  RoundPlan plan = plan_of(2, 2);
  plan.min_period_seconds = 3'600;
  Round round(8, plan, start);
  for (const char* device : {"a", "b"}) round.device_arrived(device);
  round.time_passed(start);
  round.update_accepted("a");
  round.device_arrived("a");
  const RoundActions actions = round.time_passed(after(1));
  REQUIRE(all<Later>(actions).size() == 1);
  CHECK_FALSE(all<Later>(actions).front().firm);
  CHECK(all<Later>(actions).front().retry_after == std::chrono::seconds(60));
}

TEST_CASE("a clock that is set back makes no rest longer than the period") {
  RoundPlan plan = plan_of(1, 1);
  plan.min_period_seconds = 100;
  Round round(8, plan, start);
  round.device_arrived("a", after(1'000'000));
  const RoundActions actions = round.time_passed(start);
  REQUIRE(all<Later>(actions).size() == 1);
  CHECK(all<Later>(actions).front().retry_after == std::chrono::seconds(100));
}

TEST_CASE("who is missing when the goal is met is surplus and who has left is dropped") {
  Round round(1, plan_of(2, 2, 2.5), start);
  for (const char* device : {"a", "b", "c", "d", "e"}) round.device_arrived(device);
  round.time_passed(start);
  round.device_left("c");
  round.update_refused("d");
  round.update_accepted("a");
  round.update_accepted("b");
  round.device_left("e");  // training is over
  CHECK(round.absent() == std::map<std::string, Absence>{{"c", Absence::dropped}, {"e", Absence::surplus}});
}

TEST_CASE("who is at work at the deadline is late whether the round commits or not") {
  for (const std::uint32_t minimum : {1U, 2U}) {
    Round round = training_round(minimum);
    round.update_accepted("a");
    round.device_left("b");
    round.time_passed(after(100));
    CHECK(round.phase() == (minimum == 1 ? RoundPhase::aggregating : RoundPhase::abandoned));
    CHECK(round.absent() == std::map<std::string, Absence>{{"b", Absence::dropped}, {"c", Absence::late}});
  }
}

TEST_CASE("a waiting device that leaves is not chosen") {
  Round round(1, plan_of(2, 2), start);
  round.device_arrived("a");
  round.device_arrived("b");
  round.device_left("a");
  CHECK(round.time_passed(after(20)).empty());
}

TEST_CASE("a resumed round keeps its updates and gives its devices their time again (I3)") {
  Round round = Round::resume(7, plan_of(3, 2), after(50), {"a", "b", "c"}, {"a"}, {});
  CHECK(round.phase() == RoundPhase::training);
  CHECK(round.work_ends(after(60)) == after(150));
  CHECK(round.admission("a") == Admission::already_accepted);
  round.device_arrived("b");
  CHECK(offered(round.time_passed(after(51))) == std::vector<std::string>{"b"});
  round.update_accepted("b");
  CHECK(all<Aggregate>(round.update_accepted("c")).size() == 1);
}

TEST_CASE("a round resumed with its goal reached aggregates at once") {
  Round round = Round::resume(7, plan_of(2, 2), start, {"a", "b"}, {"a", "b"}, {});
  CHECK(all<Aggregate>(round.time_passed(start)).size() == 1);
}
