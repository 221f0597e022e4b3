#include "server/round/pace.h"

#include <algorithm>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "server/round/round.h"
#include "server/round/task_history.h"

using namespace fl;
using namespace fl::server;

namespace {

constexpr Timestamp start{std::chrono::hours(450'000)};
constexpr std::size_t devices = 10'000;
constexpr Milliseconds step{50};

std::string name_of(std::size_t device) {
  return "device-" + std::to_string(device);
}

/// A server of one task and very many devices that stay connected, in virtual time: who is selected reports
/// after 10 to 30 seconds, one in twenty never; who has reported, or trains in vain, asks at once; who is put
/// off asks when told to, or at the next version.
class BusyServer {
 public:
  BusyServer() : round_(1, plan(), start) {
    for (std::size_t device = 0; device < devices; ++device) will_ask(device, start);
  }

  void run(std::chrono::seconds time) {
    const Timestamp end = now_ + time;
    while (now_ < end) {
      now_ += step;
      while (!events_.empty() && events_.top().at <= now_) {
        const Event event = events_.top();
        events_.pop();
        if (event.number != questions_[event.device]) continue;
        if (event.reports) reported(event.device);
        if (!event.reports) asks(event.device);
      }
      round_.crowd_is({devices, history_.round_time()});
      carry_out(round_.time_passed(now_));
    }
  }

  /// Of each second since the start.
  const std::vector<int>& arrivals() const { return arrivals_; }
  std::uint64_t commits() const { return history_.committed(); }

 private:
  struct Event {
    Timestamp at;
    std::size_t device;
    bool reports;
    std::uint64_t number;  // of its last question: a later one makes what came of it void
    bool operator<(const Event& other) const { return at > other.at; }
  };

  static RoundPlan plan() {
    RoundPlan plan;
    plan.goal = 100;
    plan.minimum = 50;
    plan.over_selection = 1.3;
    plan.deadline_seconds = 120;
    return plan;
  }

  static std::size_t device_of(const std::string& name) { return std::stoul(name.substr(7)); }

  void will_ask(std::size_t device, Timestamp at) { events_.push({at, device, false, ++questions_[device]}); }

  void asks(std::size_t device) {
    const auto second = static_cast<std::size_t>((now_ - start) / std::chrono::seconds(1));
    arrivals_.resize(std::max(arrivals_.size(), second + 1));
    ++arrivals_[second];
    round_.device_arrived(name_of(device));
  }

  void reported(std::size_t device) {
    working_.erase(device);
    if (round_.admission(name_of(device)) == Admission::admitted) {
      carry_out(round_.update_accepted(name_of(device)));
    }
    will_ask(device, now_);
  }

  void carry_out(const RoundActions& actions) {
    for (const RoundAction& action : actions) {
      if (std::holds_alternative<BeginTraining>(action)) began_ = now_;
      if (const auto* offer = std::get_if<Offer>(&action)) offered(device_of(offer->device));
      if (const auto* later = std::get_if<Later>(&action)) put_off(*later);
    }
    if (round_.phase() == RoundPhase::aggregating) commit();
    if (round_.phase() == RoundPhase::abandoned) open_next();
  }

  void put_off(const Later& later) {
    will_ask(device_of(later.device), now_ + later.retry_after);
    if (!later.firm) impatient_.insert(device_of(later.device));
  }

  void offered(std::size_t device) {
    working_.insert(device);
    if (random_.below(20) == 0) return;
    events_.push({now_ + Milliseconds(10'000 + random_.below(20'000)), device, true, questions_[device]});
  }

  void commit() {
    round_.committed();
    history_.round_committed(began_, now_);
    for (const std::size_t device : working_) will_ask(device, now_);
    for (const std::size_t device : impatient_) will_ask(device, now_);
    working_.clear();
    impatient_.clear();
    open_next();
  }

  void open_next() {
    const std::set<std::string> waiting = round_.waiting();
    round_ = Round(round_.number() + 1, plan(), now_);
    for (const std::string& device : waiting) round_.device_arrived(device);
  }

  Round round_;
  TaskHistory history_;
  Timestamp now_ = start;
  Timestamp began_{};
  Random random_{7};
  std::priority_queue<Event> events_;
  std::vector<std::uint64_t> questions_ = std::vector<std::uint64_t>(devices);
  std::set<std::size_t> working_;
  std::set<std::size_t> impatient_;
  std::vector<int> arrivals_;
};

}  // namespace

TEST_CASE("ten thousand devices that were all put off come evenly and rounds want for none") {
  BusyServer server;
  server.run(std::chrono::seconds(1'200));
  const std::vector<int>& arrivals = server.arrivals();
  REQUIRE(arrivals.size() >= 1'199);
  CHECK(arrivals[0] == static_cast<int>(devices));
  double mean = 0;
  for (std::size_t second = 600; second < 1'199; ++second) mean += arrivals[second] / 599.0;
  MESSAGE("a mean of " << mean << " devices a second, " << server.commits() << " rounds");
  for (std::size_t second = 1; second < 1'199; ++second) REQUIRE(arrivals[second] < 2 * mean);
  for (std::size_t second = 600; second < 1'199; ++second) REQUIRE(arrivals[second] > mean / 2);
  // Of 100 updates the last comes after 25 seconds or so; two more are for selection.
  CHECK(server.commits() > 1'200 / 30);
}

TEST_CASE("a window lets ten times as many devices come in a round's time as it wants") {
  CHECK(crowd_window({10'000, std::chrono::seconds(60)}, 130) == std::chrono::seconds(256));
  CHECK(crowd_window({10'000, std::chrono::seconds(24)}, 130) == std::chrono::seconds(128));
  CHECK(crowd_window({1'000, std::chrono::seconds(1)}, 1'300) == std::chrono::seconds(1));
  CHECK(crowd_window({1'000'000, std::chrono::hours(1)}, 1) == std::chrono::seconds(1'024));
  CHECK(crowd_window({10'000, {}}, 130) == crowd_window({10'000, std::chrono::seconds(60)}, 130));
  CHECK_FALSE(is_crowd({999, {}}));
  CHECK(is_crowd({1'000, {}}));
}

TEST_CASE("each device has one moment in each window wherever in it the device is told") {
  const Crowd crowd{10'000, std::chrono::seconds(60)};
  constexpr std::chrono::seconds window{256};
  const Timestamp begins{start.time_since_epoch() / window * window};
  for (std::uint64_t device = 0; device < 200; ++device) {
    const Timestamp moment = begins + window + crowd_retry(crowd, 130, device, begins + window);
    Timestamp told = begins + window;
    for (; told + std::chrono::seconds(1) <= moment && told < begins + 2 * window;
         told += Milliseconds(777)) {
      REQUIRE(told + crowd_retry(crowd, 130, device, told) == moment);
    }
    const Timestamp after_it = moment + crowd_retry(crowd, 130, device, moment);
    CHECK(after_it >= begins + 2 * window);
    CHECK(after_it < begins + 4 * window);
  }
}

TEST_CASE("a crowd's devices wait firmly and those of a small fleet until a version comes") {
  for (const std::size_t subscribed : {std::size_t{999}, std::size_t{1'000}}) {
    RoundPlan plan;
    plan.goal = plan.minimum = 1;
    plan.over_selection = 1;
    Round round(1, plan, start);
    round.crowd_is({subscribed, std::chrono::seconds(600)});
    round.device_arrived("a");
    round.device_arrived("b");
    const RoundActions actions = round.time_passed(start);
    const auto* later = std::get_if<Later>(&actions.back());
    REQUIRE(later != nullptr);
    CHECK(later->firm == (subscribed == 1'000));
  }
}
