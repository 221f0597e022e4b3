#include <algorithm>
#include <stdexcept>

#include <doctest/doctest.h>

#include "common/base/random.h"
#include "server/round/evaluation.h"

using namespace fl;
using namespace fl::server;

namespace {

constexpr Timestamp start{std::chrono::hours(1'000'000)};
constexpr std::size_t strangers = 7;  // devices a, b, c... that do what they like

using Devices = std::set<std::string>;

void require(bool allowed, const std::string& foul) {
  if (!allowed) throw std::runtime_error(foul);
}

/// Runs one evaluation as the server does but for ledger and network, and holds it against its contract: it
/// knows server/round/evaluation.h and nothing of how the evaluation is made.
class Server {
 public:
  Server(const EvaluationPlan& plan, std::uint64_t seed)
      : plan_(plan), fresh_(1, 7, plan, seed), evaluation_(fresh_) {}

  bool ended() const { return ends_ > 0; }
  bool has_begun() const { return begun_; }
  const Devices& offered() const { return offered_; }

  void arrives(const std::string& device) {
    require(evaluation_.has_use_for(device) == has_use_for(device), "it does not know whom it has use for");
    if (!has_use_for(device)) return;
    evaluation_.device_arrived(device);
    waiting_.insert(device);
  }

  void leaves(const std::string& device) {
    evaluation_.device_left(device);
    waiting_.erase(device);
    if (working_.erase(device) == 1) away_.insert(device);
  }

  void finishes(const std::string& device, bool with_report) {
    const Admission expected = admission(device);
    require(evaluation_.admission(device) == expected, "the admission of " + device + " is wrong");
    if (expected != Admission::admitted) return;
    working_.erase(device);
    away_.erase(device);
    (with_report ? reported_ : refused_).insert(device);
    require(reported_.size() <= plan_.goal, "more reports were admitted than the goal");
    take(with_report ? evaluation_.reported(device) : evaluation_.refused(device));
    require(ended() == (ended_before_ || done()), "it must end when it is done and not before");
  }

  void passes(Milliseconds time) {
    now_ += time;
    if (begun_) deadline_ = std::min(deadline_, now_ + std::chrono::seconds(plan_.deadline_seconds));
    const bool must_end = running() && (now_ >= deadline_ || done());
    take(evaluation_.time_passed(now_));
    require(waiting_.empty(), "a device that asked was not answered");
    require(!must_end || ended(), "it had to end");
    const std::optional<Timestamp> wake = evaluation_.wake_after(now_);
    require(running() ? wake == deadline_ : !wake, "it must wake at its deadline and only then");
  }

  void jumps(Milliseconds time) { now_ += time; }

  void publishes(bool is_due) {
    superseded_ = true;
    const bool must_end = running() && (is_due || done());
    take(evaluation_.version_published(is_due));
    require(!must_end || ended(), "it had to end with the newer version");
  }

  void restarts() {
    waiting_.clear();
    if (ended()) return;
    if (!begun_) {
      evaluation_ = fresh_;
      superseded_ = false;
      return;
    }
    away_.merge(working_);
    working_.clear();
    Devices selected = away_;
    selected.insert(reported_.begin(), reported_.end());
    selected.insert(refused_.begin(), refused_.end());
    evaluation_ = VersionEvaluation::resume(fresh_, now_, selected, reported_, refused_);
    deadline_ = now_ + std::chrono::seconds(plan_.deadline_seconds);
    if (superseded_) publishes(false);
    passes(Milliseconds(0));
  }

 private:
  bool running() const { return begun_ && !ended(); }
  bool is_member(const std::string& device) const {
    return working_.contains(device) || away_.contains(device) || reported_.contains(device) ||
           refused_.contains(device);
  }
  std::size_t places() const {
    const std::size_t taken = working_.size() + reported_.size();
    return superseded_ || ended() || taken >= plan_.goal ? 0 : plan_.goal - taken;
  }
  bool has_use_for(const std::string& device) const {
    if (ended()) return false;
    return working_.contains(device) || away_.contains(device) || (!is_member(device) && places() > 0);
  }
  Admission admission(const std::string& device) const {
    if (reported_.contains(device)) return Admission::already_accepted;
    if (!running()) return Admission::round_closed;
    const bool at_it = working_.contains(device) || away_.contains(device);
    return at_it ? Admission::admitted : Admission::not_selected;
  }
  bool done() const {
    return reported_.size() >= plan_.goal || (superseded_ && working_.empty() && away_.empty());
  }

  void take(const EvaluationActions& actions) {
    ended_before_ = ended();
    offered_.clear();
    const std::size_t free = places();
    const Devices away = away_;
    for (const EvaluationAction& action : actions) {
      std::visit([this](const auto& one) { judge(one); }, action);
    }
    const auto comes_back = [&away](const std::string& device) { return away.contains(device); };
    const auto back = static_cast<std::size_t>(std::count_if(offered_.begin(), offered_.end(), comes_back));
    require(chosen_ == 0 || chosen_ + back <= std::max(free, back), "more were chosen than there are places");
    chosen_ = 0;
  }

  void choose(const std::vector<std::string>& devices) {
    require(running(), "devices were chosen for what does not run");
    require(!superseded_, "devices were chosen that hold a newer version");
    for (const std::string& device : devices) {
      require(waiting_.contains(device) && !is_member(device), device + " was chosen wrongly");
      working_.insert(device);
      ++chosen_;
    }
  }
  void judge(const BeginEvaluation& begin) {
    require(!begun_ && !ended(), "it begins once");
    require(!begin.devices.empty(), "it began with nobody");
    require(begin.deadline == now_ + std::chrono::seconds(plan_.deadline_seconds), "the deadline is wrong");
    begun_ = true;
    deadline_ = begin.deadline;
    choose(begin.devices);
  }
  void judge(const AddEvaluators& more) { choose(more.devices); }
  void judge(const OfferEvaluation& offer) {
    require(running() && waiting_.erase(offer.device) == 1, offer.device + " had not asked");
    if (away_.erase(offer.device) == 1) working_.insert(offer.device);
    require(working_.contains(offer.device), offer.device + " was offered what was not recorded");
    offered_.insert(offer.device);
  }
  void judge(const TurnAway& away) {
    require(waiting_.erase(away.device) == 1, away.device + " was answered but had not asked");
    require(!(running() && away_.contains(away.device)), away.device + " had work and was turned away");
  }
  void judge(const EndEvaluation& end) {
    require(running(), "it ends once, after it has begun");
    require(end.complete == (reported_.size() >= plan_.minimum), "complete is what has the minimum");
    require(end.reason.empty() == (reported_.size() >= plan_.goal), "a reason is given below the goal");
    ++ends_;
  }

  EvaluationPlan plan_;
  VersionEvaluation fresh_;
  VersionEvaluation evaluation_;
  Timestamp now_ = start;
  Timestamp deadline_{};
  bool begun_ = false;
  bool superseded_ = false;
  bool ended_before_ = false;
  int ends_ = 0;
  std::size_t chosen_ = 0;
  Devices waiting_, working_, away_, reported_, refused_, offered_;
};

void play(Server& server, Random& random) {
  const std::string device(1, static_cast<char>('a' + random.below(strangers)));
  const std::uint64_t die = random.below(60);
  if (die < 24) return server.arrives(device);
  if (die < 28) return server.leaves(device);
  if (die < 38) return server.finishes(device, true);
  if (die < 41) return server.finishes(device, false);
  if (die < 55) return server.passes(Milliseconds(random.below(random.below(5) == 0 ? 60'000 : 2'000)));
  if (die < 56) return server.jumps(-std::chrono::minutes(random.below(3'000)));
  if (die < 58) return server.restarts();
  server.publishes(random.below(3) == 0);
}

/// Devices that behave, and no newer version: it must end complete within the time of one evaluation.
void require_progress(Server& server, const EvaluationPlan& plan) {
  Devices good;
  for (std::uint32_t i = 0; i < plan.goal; ++i) good.insert("good " + std::to_string(i));
  for (std::uint32_t second = 0; second <= plan.deadline_seconds && !server.ended(); ++second) {
    for (const std::string& device : good) server.arrives(device);
    server.passes(std::chrono::seconds(1));
    const Devices offered = server.offered();
    for (const std::string& device : offered) server.finishes(device, true);
  }
  require(server.ended(), "devices that behave did not bring it to an end");
}

}  // namespace

TEST_CASE("whatever devices do no evaluation breaks its contract and those that behave complete it (I3)") {
  for (std::uint64_t seed = 1; seed <= 4'000; ++seed) {
    Random random(seed);
    EvaluationPlan plan;
    plan.goal = static_cast<std::uint32_t>(1 + random.below(4));
    plan.minimum = static_cast<std::uint32_t>(1 + random.below(plan.goal));
    plan.deadline_seconds = static_cast<std::uint32_t>(1 + random.below(90));
    Server server(plan, seed);
    try {
      for (int event = 0; event < 60; ++event) play(server, random);
      if (!server.has_begun()) server.restarts();
      require_progress(server, plan);
    } catch (const std::runtime_error& foul) {
      FAIL_CHECK("seed " << seed << ": " << foul.what());
    }
  }
}
