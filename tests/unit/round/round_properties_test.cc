#include <algorithm>
#include <array>
#include <sstream>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "server/round/task_history.h"
#include "tests/unit/round/referee.h"

using namespace fl;
using namespace fl::server;
using test::Foul;
using test::Referee;

namespace {

constexpr Timestamp start{std::chrono::hours(1'000'000)};
constexpr std::uint32_t longest_pause = 600;    // seconds
constexpr std::uint32_t longest_retry = 2'049;  // seconds, in a crowd
constexpr std::size_t strangers = 8;            // devices a, b, c... that do what they like

struct Event {
  enum class Kind : std::uint8_t { arrives, leaves, reports, declines, passes, jumps, restarts, ends, fails };
  Kind kind;
  std::string device;
  Milliseconds time{};
};

std::string text(const Event& event) {
  const std::string time = std::to_string(event.time.count()) + " ms";
  switch (event.kind) {
    case Event::Kind::arrives:
      return event.device + " asks";
    case Event::Kind::leaves:
      return event.device + " leaves";
    case Event::Kind::reports:
      return event.device + " reports";
    case Event::Kind::declines:
      return event.device + " is refused";
    case Event::Kind::passes:
      return time + " pass";
    case Event::Kind::jumps:
      return "the clock jumps by " + time;
    case Event::Kind::restarts:
      return "the server restarts";
    case Event::Kind::ends:
      return "the version is written";
    case Event::Kind::fails:
      return "the version cannot be written";
  }
  return "";
}

struct Scenario {
  RoundPlan plan;
  std::size_t subscribed = 0;
  std::vector<Event> events;
};

std::string text(const Scenario& scenario) {
  std::ostringstream all;
  const RoundPlan& plan = scenario.plan;
  all << "goal " << plan.goal << ", minimum " << plan.minimum << ", over-selection " << plan.over_selection
      << ", selection " << plan.selection_seconds << " s, deadline " << plan.deadline_seconds << " s, period "
      << plan.min_period_seconds << " s, " << scenario.subscribed << " subscribed, " << name(plan.sampling);
  for (const Event& event : scenario.events) all << "; " << text(event);
  return all.str();
}

Event random_event(Random& random) {
  using Kind = Event::Kind;
  const std::string device(1, static_cast<char>('a' + random.below(strangers)));
  const std::uint64_t die = random.below(40);
  if (die < 14) return {Kind::arrives, device};
  if (die < 17) return {Kind::leaves, device};
  if (die < 24) return {Kind::reports, device};
  if (die < 26) return {Kind::declines, device};
  if (die < 35) return {Kind::passes, "", Milliseconds(random.below(random.below(4) == 0 ? 60'000 : 3'000))};
  if (die < 36) {
    const Milliseconds jump = std::chrono::minutes(random.below(3'000));
    return {Kind::jumps, "", random.below(2) == 0 ? jump : -jump};
  }
  if (die < 37) return {Kind::restarts, ""};
  return {die < 39 ? Kind::ends : Kind::fails, ""};
}

Scenario random_scenario(std::uint64_t seed) {
  Random random(seed);
  Scenario scenario;
  RoundPlan& plan = scenario.plan;
  plan.seed = seed;
  plan.goal = static_cast<std::uint32_t>(1 + random.below(4));
  plan.minimum = static_cast<std::uint32_t>(1 + random.below(plan.goal));
  plan.over_selection = 1.0 + 0.1 * static_cast<double>(random.below(11));
  plan.selection_seconds = static_cast<std::uint32_t>(random.below(3) * 10);
  plan.deadline_seconds = static_cast<std::uint32_t>(20 + random.below(60));
  plan.min_period_seconds = static_cast<std::uint32_t>(random.below(3) * 40);
  if (random.below(3) == 0) plan.sampling = Sampling::least_recent;
  constexpr std::array<std::size_t, 5> subscribed{0, 1, 3, strangers, 5'000};
  scenario.subscribed = subscribed.at(random.below(subscribed.size()));
  const std::uint64_t length = 1 + random.below(80);
  for (std::uint64_t i = 0; i < length; ++i) scenario.events.push_back(random_event(random));
  return scenario;
}

/// A server that runs the rounds of one task, as the task runner does but for ledger and network, with a
/// referee beside each round.
class Server {
 public:
  Server(const RoundPlan& plan, std::size_t subscribed)
      : plan_(plan), subscribed_(subscribed), referee_(plan), round_(1, plan, start) {
    referee_.opened(now());
  }

  std::size_t commits() const { return commits_; }
  Milliseconds elapsed() const { return steady_; }
  /// What of the last event is an answer to `device`: the time until it asks again, 0 where it has work.
  const std::map<std::string, Milliseconds>& answers() const { return answers_; }
  std::optional<Milliseconds> until_wake() const {
    const std::optional<Timestamp> wake = round_.wake_after(now());
    if (!wake) return std::nullopt;
    return std::max(*wake - now(), Milliseconds(1));
  }

  void play(const Event& event) {
    using Kind = Event::Kind;
    answers_.clear();
    if (event.kind == Kind::arrives) arrives(event.device);
    if (event.kind == Kind::leaves) leaves(event.device);
    if (event.kind == Kind::reports || event.kind == Kind::declines) finishes(event);
    if (event.kind == Kind::passes) passes(event.time);
    if (event.kind == Kind::jumps) ahead_ += event.time;
    if (event.kind == Kind::restarts) restarts();
    if (event.kind == Kind::ends && round_.phase() == RoundPhase::aggregating) commits_one();
    if (event.kind == Kind::fails && round_.phase() == RoundPhase::aggregating) fails();
    for (std::size_t i = 0; i < strangers; ++i) {
      referee_.compare(round_, std::string(1, static_cast<char>('a' + i)), now());
    }
  }

  /// The updates that were accepted are each in one round that ended, or in the one that is open (I3).
  void require_every_update_once() const {
    std::multiset<std::string> kept = ended_;
    for (const std::string& device : referee_.members(Referee::State::accepted)) kept.insert(key(device));
    if (kept != acknowledged_) throw Foul("an acknowledged update is lost, or is there twice");
  }

 private:
  Timestamp now() const { return start + steady_ + ahead_; }
  std::string key(const std::string& device) const { return std::to_string(round_.number()) + "/" + device; }

  void arrives(const std::string& device) {
    const auto last = took_part_.find(device);
    const auto when = last == took_part_.end() ? std::nullopt : std::optional(last->second);
    round_.device_arrived(device, when);
    referee_.arrived(device, when);
  }

  void leaves(const std::string& device) {
    round_.device_left(device);
    referee_.left(device);
  }

  /// Also what comes late or twice, which is not admitted.
  void finishes(const Event& event) {
    referee_.compare(round_, event.device, now());
    if (round_.admission(event.device) != Admission::admitted) return;
    if (event.kind == Event::Kind::declines) {
      return referee_.refused(event.device, round_.update_refused(event.device));
    }
    acknowledged_.insert(key(event.device));
    accepted_at_[event.device] = now();
    referee_.accepted(event.device, round_.update_accepted(event.device));
  }

  void passes(Milliseconds time) {
    steady_ += time;
    const Crowd crowd{subscribed_, history_.round_time()};
    round_.crowd_is(crowd);
    referee_.crowd_is(crowd);
    const RoundActions actions = round_.time_passed(now());
    referee_.time_passed(now(), actions);
    for (const RoundAction& action : actions) {
      if (const auto* later = std::get_if<Later>(&action)) answers_[later->device] = later->retry_after;
      if (const auto* offer = std::get_if<Offer>(&action)) answers_[offer->device] = Milliseconds(0);
    }
    if (round_.phase() == RoundPhase::abandoned) abandoned();
  }

  void abandoned() {
    history_.round_abandoned(now());
    open_next();
  }

  void restarts() {
    referee_.restarted(now(), history_.pause(now()));
    round_ = round_.phase() == RoundPhase::selecting
                 ? Round(round_.number(), plan_, now(), history_.pause(now()))
                 : Round::resume(round_.number(), plan_, now(), referee_.members(),
                                 referee_.members(Referee::State::accepted),
                                 referee_.members(Referee::State::refused));
    passes(Milliseconds(0));
  }

  void commits_one() {
    round_.committed();
    referee_.committed();
    ++commits_;
    history_.round_committed(now(), now());
    for (const std::string& device : referee_.members(Referee::State::accepted)) {
      took_part_[device] = accepted_at_.at(device);
    }
    open_next();
  }

  void fails() {
    referee_.failed(round_.failed("the disk is full"));
    abandoned();
  }

  void open_next() {
    for (const std::string& device : referee_.members(Referee::State::accepted)) ended_.insert(key(device));
    const std::set<std::string> waiting = round_.waiting();
    round_ = Round(round_.number() + 1, plan_, now(), history_.pause(now()));
    referee_.opened(now(), history_.pause(now()));
    for (const std::string& device : waiting) arrives(device);
  }

  RoundPlan plan_;
  std::size_t subscribed_;
  Referee referee_;
  Round round_;
  Milliseconds steady_{};
  Milliseconds ahead_{};  // of the wall clock, by its jumps
  std::size_t commits_ = 0;
  TaskHistory history_;
  std::map<std::string, Milliseconds> answers_;
  std::map<std::string, Timestamp> accepted_at_;
  std::map<std::string, Timestamp> took_part_;  // in a round that was committed
  std::multiset<std::string> acknowledged_;     // "round/device"
  std::multiset<std::string> ended_;
};

/// From here on `minimum` devices do as they are told, and nobody else does anything: a version must come
/// within the time of three rounds, of which the strangers who wait may spoil two, and the pauses before
/// them.
void require_progress(Server& server, const RoundPlan& plan) {
  using Kind = Event::Kind;
  const Milliseconds one_round = std::chrono::seconds(plan.selection_seconds + plan.deadline_seconds +
                                                      longest_retry + 2 + longest_pause);
  const Milliseconds latest = server.elapsed() + 3 * one_round;
  const std::size_t commits = server.commits();
  std::map<std::string, Milliseconds> asks_at;  // of the good devices that were not given work yet
  for (std::uint32_t i = 0; i < plan.minimum; ++i) asks_at["good " + std::to_string(i)] = server.elapsed();
  while (server.commits() == commits) {
    if (server.elapsed() > latest) throw Foul("no version has come of devices that behave");
    bool asked = false;
    for (auto& [device, at] : asks_at) {
      if (at > server.elapsed()) continue;
      server.play({Kind::arrives, device});
      at = Milliseconds::max();
      asked = true;
    }
    Milliseconds pause = server.until_wake().value_or(latest);
    for (const auto& [device, at] : asks_at) pause = std::min(pause, at - server.elapsed());
    server.play({Kind::passes, "", asked ? Milliseconds(50) : pause});
    const std::map<std::string, Milliseconds> answers = server.answers();
    for (const auto& [device, again] : answers) {
      if (!asks_at.contains(device)) continue;
      if (again == Milliseconds(0)) server.play({Kind::reports, device});
      asks_at[device] = server.elapsed() + std::max(again, Milliseconds(1'000));
    }
    server.play({Kind::ends, ""});
  }
}

/// The foul that a scenario brings to light; empty: none.
std::string foul_of(const Scenario& scenario) {
  Server server(scenario.plan, scenario.subscribed);
  try {
    for (const Event& event : scenario.events) server.play(event);
    server.require_every_update_once();
    require_progress(server, scenario.plan);
    server.require_every_update_once();
  } catch (const Foul& foul) {
    return foul.what();
  }
  return "";
}

/// The scenario without those runs of `cut` events that it is foul without.
Scenario without_runs(Scenario scenario, std::size_t cut) {
  for (std::size_t first = 0; first + cut <= scenario.events.size();) {
    Scenario shorter = scenario;
    const auto begin = shorter.events.begin() + static_cast<std::ptrdiff_t>(first);
    shorter.events.erase(begin, begin + static_cast<std::ptrdiff_t>(cut));
    if (foul_of(shorter).empty()) {
      ++first;
    } else {
      scenario = shorter;
    }
  }
  return scenario;
}

/// The scenario without the events that its foul does not need.
Scenario shortened(Scenario scenario) {
  std::size_t before = 0;
  do {
    before = scenario.events.size();
    for (std::size_t cut = before / 2; cut > 0; cut /= 2) scenario = without_runs(scenario, cut);
  } while (scenario.events.size() != before);
  return scenario;
}

}  // namespace

TEST_CASE("whatever devices do no round breaks its contract and those that behave bring a version (I3)") {
  std::size_t fouls = 0;
  for (std::uint64_t seed = 1; seed <= 4'000 && fouls < 3; ++seed) {
    const Scenario scenario = random_scenario(seed);
    if (foul_of(scenario).empty()) continue;
    ++fouls;
    const Scenario shortest = shortened(scenario);
    FAIL_CHECK("seed " << seed << ": " << foul_of(shortest) << "\n  " << text(shortest));
  }
}

TEST_CASE("the referee of these tests objects to what no round may do") {
  RoundPlan plan;
  plan.goal = 2;
  plan.minimum = 1;
  plan.over_selection = 1;
  const auto training = [&] {
    Referee referee(plan);
    referee.opened(start);
    for (const char* device : {"a", "b"}) referee.arrived(device);
    const Timestamp deadline = start + std::chrono::seconds(plan.deadline_seconds);
    referee.time_passed(start, {BeginTraining{{"a", "b"}, deadline}, Offer{"a"}, Offer{"b"}});
    return referee;
  };
  CHECK_NOTHROW(training().accepted("a", {}));
  CHECK_THROWS_AS(training().accepted("a", {Aggregate{}}), Foul);
  CHECK_THROWS_AS(training().accepted("c", {}), Foul);
  CHECK_THROWS_AS(training().committed(), Foul);
  CHECK_THROWS_AS(training().time_passed(start, {Offer{"a"}}), Foul);
  CHECK_THROWS_AS(training().time_passed(start, {Abandon{"late"}}), Foul);
  CHECK_THROWS_AS(training().time_passed(start + std::chrono::hours(1), {Aggregate{}}), Foul);
  CHECK_THROWS_AS(training().time_passed(start + std::chrono::hours(1), {}), Foul);

  plan.min_period_seconds = 100;
  const auto resting = [&](bool rests, const RoundActions& actions) {
    Referee referee(plan);
    referee.opened(start);
    referee.arrived("a", start - std::chrono::seconds(rests ? 40 : 100));
    referee.time_passed(start + std::chrono::hours(rests ? 0 : 1), actions);
  };
  CHECK_NOTHROW(resting(true, {Later{"a", std::chrono::seconds(60), "it rests", true}}));
  CHECK_THROWS_AS(resting(true, {}), Foul);
  CHECK_THROWS_AS(resting(true, {Later{"a", std::chrono::seconds(60), "it rests"}}), Foul);
  CHECK_THROWS_AS(resting(true, {Later{"a", std::chrono::seconds(59), "it rests", true}}), Foul);
  CHECK_THROWS_AS(resting(false, {Later{"a", std::chrono::seconds(60), "it rests", true}}), Foul);
}
