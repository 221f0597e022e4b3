// Rounds of asynchronous tasks.

#include <algorithm>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "server/round/round.h"
#include "tests/unit/round/told.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

RoundPlan plan_of(std::uint32_t goal, std::uint32_t max_staleness, std::uint32_t concurrency = 0) {
  RoundPlan plan;
  plan.strategy = "fedbuff";
  plan.goal = plan.minimum = goal;
  plan.over_selection = 1;
  plan.deadline_seconds = 100;
  plan.server_max_staleness = max_staleness;
  if (concurrency > 0) plan.server_concurrency = concurrency;
  return plan;
}

std::vector<std::string> offered(const RoundActions& actions) {
  return devices_of<Offer>(actions);
}

/// The first buffer, of two updates, in which these devices have work.
Round first_buffer(const std::vector<std::string>& devices, std::uint32_t max_staleness = 3) {
  Round round(1, plan_of(2, max_staleness), start, {1, {}});
  for (const std::string& device : devices) round.device_arrived(device);
  CHECK(offered(round.time_passed(start)) == devices);
  return round;
}

/// The buffer after one that has made the version after this one's.
Round next_buffer(Round& round, std::uint64_t version, const RoundPlan& plan) {
  CHECK(round.phase() == RoundPhase::aggregating);
  round.committed();
  return {round.number() + 1, plan, start, {version, round.given()}};
}

}  // namespace

TEST_CASE("a buffer gives work to each device at once and waits for no cohort") {
  Round round(1, plan_of(5, 3), start, {1, {}});
  CHECK(round.time_passed(start).empty());
  CHECK(!round.wake_after(start));
  round.device_arrived("a");
  CHECK(round.wake_after(start) == start);
  const RoundActions first = round.time_passed(start);
  REQUIRE(all<BeginTraining>(first).size() == 1);
  CHECK(all<BeginTraining>(first).front().cohort == std::vector<std::string>{"a"});
  CHECK(offered(first) == std::vector<std::string>{"a"});
  CHECK_FALSE(all<Offer>(first).front().joins);
  round.device_arrived("b");
  const RoundActions second = round.time_passed(after(1));
  CHECK(all<BeginTraining>(second).empty());
  CHECK(offered(second) == std::vector<std::string>{"b"});
  CHECK(all<Offer>(second).front().joins);
  CHECK(round.work_ends(after(1)) == after(101));
}

TEST_CASE("a buffer aggregates its goal and no time makes it take fewer") {
  Round round = first_buffer({"a", "b", "c"});
  CHECK(round.update_accepted("a").empty());
  CHECK(round.time_passed(after(100'000)).empty());
  CHECK(round.update_refused("b").empty());
  CHECK(all<Aggregate>(round.update_accepted("c")).size() == 1);
}

TEST_CASE("an update that comes while the version is made counts in the next buffer (I3)") {
  Round round = first_buffer({"a", "b", "c"});
  round.update_accepted("a");
  CHECK(round.admission("c") == Admission::admitted);
  round.update_accepted("b");
  CHECK(round.admission("a") == Admission::already_accepted);
  CHECK(round.admission("c") == Admission::deferred);
  Round next = next_buffer(round, 2, plan_of(2, 3));
  CHECK(next.admission("c") == Admission::deferred);
  CHECK(next.wake_after(start) == start);
  CHECK(all<BeginTraining>(next.time_passed(start)).front().cohort.empty());
  CHECK(next.admission("c") == Admission::admitted);
  CHECK(next.update_accepted("c").empty());
  CHECK(next.admission("c") == Admission::already_accepted);
  CHECK(next.admission("a") == Admission::not_selected);
  CHECK(next.given().empty());
}

TEST_CASE("work from a version that is too old is given no longer") {
  for (const std::uint64_t version : {3U, 4U, 5U}) {
    const GivenWorks given = {{"a", {1, 1, after(100)}}, {"b", {2, 2, after(100)}}};
    Round round(7, plan_of(2, 2), start, {version, given});
    CHECK(round.given().contains("a") == (version <= 3));
    CHECK(round.given().contains("b") == (version <= 4));
    CHECK((round.admission("a") == Admission::not_selected) == (version > 3));
  }
}

TEST_CASE("a device has one update in a buffer and waits for the next to get work again") {
  Round round = first_buffer({"a", "b", "c"});
  round.update_accepted("a");
  round.update_refused("c");
  for (const char* device : {"a", "c"}) round.device_arrived(device);
  CHECK(round.time_passed(start).empty());
  CHECK(round.waiting().size() == 2);
  CHECK(round.admission("c") == Admission::not_selected);
  round.update_accepted("b");
  Round next = next_buffer(round, 2, plan_of(2, 3));
  for (const std::string& device : round.waiting()) next.device_arrived(device);
  CHECK(offered(next.time_passed(start)) == std::vector<std::string>{"a", "c"});
}

TEST_CASE("a device that asks again has the same work in its buffer and new work in a later one") {
  Round round = first_buffer({"a", "b", "c"});
  round.device_left("c");
  round.device_arrived("c");
  const RoundActions again = round.time_passed(after(1));
  CHECK(offered(again) == std::vector<std::string>{"c"});
  CHECK_FALSE(all<Offer>(again).front().joins);
  CHECK(round.given().at("c").round == 1);
  round.update_accepted("a");
  round.update_accepted("b");
  Round next = next_buffer(round, 2, plan_of(2, 3));
  next.time_passed(after(2));
  next.device_arrived("c");
  const RoundActions newer = next.time_passed(after(2));
  CHECK(offered(newer) == std::vector<std::string>{"c"});
  CHECK(all<Offer>(newer).front().joins);
  CHECK(next.given().at("c").round == 2);
  CHECK(next.given().at("c").version == 2);
}

TEST_CASE("a device whose work is too far behind after a restart gets new work in the same buffer") {
  const Round fresh(1, plan_of(2, 3), start, {40, {}});
  Round round = Round::resume(1, plan_of(2, 3), start, {"a", "b"}, {"b"}, {}, {40, {}});
  round.device_arrived("a");
  round.device_arrived("b");
  CHECK(offered(round.time_passed(after(1))) == std::vector<std::string>{"a"});
  CHECK(round.given().at("a").version == 40);
}

TEST_CASE("a device that asks again and again holds a place no longer than its work may take (I8)") {
  Round round(1, plan_of(1, 3, 1), start, {1, {}});
  round.device_arrived("a");
  CHECK(offered(round.time_passed(start)) == std::vector<std::string>{"a"});
  const Timestamp end = round.work_ends("a", start);
  const Timestamp later = end - Milliseconds(1);
  round.device_arrived("a");
  round.device_arrived("b");
  CHECK(offered(round.time_passed(later)) == std::vector<std::string>{"a"});
  CHECK(round.work_ends("a", later) == end);
  CHECK(offered(round.time_passed(end)) == std::vector<std::string>{"b"});
}

TEST_CASE(
    "no more devices are at work than there are places and one that ends makes room for one that waits") {
  Round round(1, plan_of(3, 3, 2), start, {1, {}});
  for (const char* device : {"a", "b", "c", "d"}) round.device_arrived(device);
  const std::vector<std::string> first = offered(round.time_passed(start));
  CHECK(first.size() == 2);
  CHECK(round.waiting().size() == 2);
  CHECK(round.wake_after(after(1)) == after(100));
  CHECK(round.time_passed(after(1)).empty());
  CHECK(round.update_accepted(first.front()).empty());
  CHECK(round.wake_after(after(2)) == after(2));
  CHECK(offered(round.time_passed(after(2))).size() == 1);
}

TEST_CASE("work that takes too long gives its place up and still counts") {
  Round round(1, plan_of(2, 3, 1), start, {1, {}});
  round.device_arrived("a");
  CHECK(offered(round.time_passed(start)).size() == 1);
  round.device_arrived("b");
  CHECK(round.time_passed(after(99)).empty());
  CHECK(offered(round.time_passed(after(100))) == std::vector<std::string>{"b"});
  CHECK(round.admission("a") == Admission::admitted);
  CHECK(round.update_accepted("a").empty());
  CHECK(all<Aggregate>(round.update_accepted("b")).size() == 1);
}

TEST_CASE("a clock that is set back keeps no place taken for longer than the plan has it") {
  Round round(1, plan_of(2, 3, 1), start, {1, {}});
  round.device_arrived("a");
  round.time_passed(after(1'000'000));
  round.device_arrived("b");
  CHECK(round.time_passed(start).empty());
  CHECK(round.wake_after(start) == after(100));
  CHECK(offered(round.time_passed(after(100))) == std::vector<std::string>{"b"});
}

TEST_CASE("by default as many devices work as are fresh enough where all are as fast") {
  Round round(1, plan_of(2, 3), start, {1, {}});
  for (int device = 0; device < 20; ++device) round.device_arrived("device " + std::to_string(device));
  CHECK(offered(round.time_passed(start)).size() == 8);
}

TEST_CASE("a device that took part rests before it is given work again and what it has been given stays") {
  RoundPlan plan = plan_of(2, 3);
  plan.min_period_seconds = 60;
  Round round(2, plan, after(10), {2, {{"b", {1, 1, after(100)}}}});
  round.device_arrived("a", start);
  round.device_arrived("b", start);
  round.device_arrived("c");
  CHECK(round.wake_after(after(10)) == after(10));
  const RoundActions actions = round.time_passed(after(10));
  CHECK(offered(actions) == std::vector<std::string>{"b", "c"});
  REQUIRE(all<Later>(actions).size() == 1);
  CHECK(all<Later>(actions).front().device == "a");
  CHECK(all<Later>(actions).front().retry_after == std::chrono::seconds(50));
  CHECK(all<Later>(actions).front().firm);
  round.device_arrived("a", start);
  CHECK(offered(round.time_passed(after(60))) == std::vector<std::string>{"a"});
}

TEST_CASE("where the plan says so free places go to those who took part least recently") {
  RoundPlan plan = plan_of(2, 3, 2);
  plan.sampling = Sampling::least_recent;
  for (plan.seed = 1; plan.seed <= 20; ++plan.seed) {
    Round round(1, plan, after(100), {1, {}});
    round.device_arrived("a", after(3));
    round.device_arrived("b", after(2));
    round.device_arrived("c", after(1));
    round.device_arrived("d");
    CHECK(offered(round.time_passed(after(100))) == std::vector<std::string>{"c", "d"});
  }
}

TEST_CASE("nobody is missed when a buffer ends and a device that others have answered waits no longer") {
  Round round = first_buffer({"a", "b", "c"});
  round.device_left("c");
  round.update_accepted("a");
  round.device_arrived("a");
  round.device_answered("a");
  CHECK(round.waiting().empty());
  round.update_accepted("b");
  CHECK(round.phase() == RoundPhase::aggregating);
  CHECK(round.absent().empty());
}

TEST_CASE("a resumed buffer has the updates and the open work that it had (I3)") {
  const GivenWorks given = {{"b", {6, 4, after(100)}}, {"c", {7, 5, after(100)}}};
  Round round = Round::resume(7, plan_of(3, 3), start, {"a", "c", "d"}, {"a"}, {"d"}, {5, given});
  CHECK(round.time_passed(start).empty());
  CHECK(round.admission("a") == Admission::already_accepted);
  CHECK(round.admission("d") == Admission::not_selected);
  CHECK(round.admission("b") == Admission::admitted);
  CHECK(round.update_accepted("b").empty());
  CHECK(all<Aggregate>(round.update_accepted("c")).size() == 1);
  Round complete = Round::resume(7, plan_of(1, 3), start, {"a"}, {"a"}, {}, {5, {}});
  CHECK(all<Aggregate>(complete.time_passed(start)).size() == 1);
}

TEST_CASE("whatever devices do each piece of work counts at most once and no device that asks starves (I3)") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Random random(seed);
    RoundPlan plan =
        plan_of(static_cast<std::uint32_t>(1 + random.below(3)), static_cast<std::uint32_t>(random.below(4)),
                static_cast<std::uint32_t>(random.below(4)));
    plan.seed = seed;
    std::uint64_t version = 1;
    Timestamp now = start;
    Round round(1, plan, now, {version, {}});
    std::set<std::pair<std::string, std::uint64_t>> counted;
    const auto device = [&] { return std::string(1, static_cast<char>('a' + random.below(6))); };
    for (int event = 0; event < 300; ++event) {
      const std::string one = device();
      const std::uint64_t die = random.below(10);
      if (die < 4) round.device_arrived(one);
      if (die == 4) round.device_left(one);
      if (die > 5 && round.admission(one) == Admission::admitted) {
        const GivenWork work = round.given().at(one);
        CHECK(version - work.version <= *plan.server_max_staleness);
        CHECK(counted.emplace(one, work.round).second);
        round.update_accepted(one);
      }
      now += Milliseconds(random.below(30'000));
      const RoundActions actions = round.time_passed(now);
      const std::size_t active = static_cast<std::size_t>(
          std::count_if(round.given().begin(), round.given().end(),
                        [&](const auto& entry) { return entry.second.until > now; }));
      const std::size_t places =
          plan.server_concurrency.value_or(plan.goal * (*plan.server_max_staleness + 1));
      CHECK(active <= places);
      CHECK(round.accepted() <= plan.goal);
      if (round.phase() != RoundPhase::aggregating) continue;
      CHECK(round.accepted() == plan.goal);
      const std::set<std::string> waiting = round.waiting();
      round = next_buffer(round, ++version, plan);
      for (const std::string& each : waiting) round.device_arrived(each);
    }
    // Everybody asks and delivers: nobody is left without work for good.
    std::set<std::string> served;
    for (int turn = 0; turn < 400 && served.size() < 6; ++turn) {
      for (char name = 'a'; name < 'g'; ++name) round.device_arrived(std::string(1, name));
      for (const std::string& each : offered(round.time_passed(now))) served.insert(each);
      const GivenWorks given = round.given();
      for (const auto& [each, work] : given) {
        if (round.admission(each) == Admission::admitted) round.update_accepted(each);
      }
      if (round.phase() == RoundPhase::aggregating) round = next_buffer(round, ++version, plan);
    }
    CHECK(served.size() == 6);
  }
}
