#pragma once

#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include "server/round/round.h"

namespace fl::test {

/// What a round did that its contract does not allow, or left undone that it demands.
class Foul : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Holds a round against its contract: told of the same events, it judges each action that the round answers
/// with. It knows the contract in server/round/round.h and nothing of how the round is made.
///
/// Every function throws Foul. Those that take actions take what the round answered to that event.
class Referee {
 public:
  enum class State { working, away, accepted, refused };

  explicit Referee(const RoundPlan& plan) : plan_(plan) {}

  /// A new round; who waits goes on waiting.
  void opened(Timestamp now, Milliseconds pause = {});
  /// The server was killed and has read the round's cohort and updates from its ledger; nobody waits.
  void restarted(Timestamp now, Milliseconds pause = {});
  void crowd_is(const server::Crowd& crowd) { crowd_ = crowd; }
  void arrived(const std::string& device, std::optional<Timestamp> took_part = std::nullopt);
  void left(const std::string& device);
  void accepted(const std::string& device, const server::RoundActions& actions);
  void refused(const std::string& device, const server::RoundActions& actions);
  void time_passed(Timestamp now, const server::RoundActions& actions);
  void committed();
  void failed(const server::RoundActions& actions);

  /// Whether round says of itself and of `device` what is so.
  void compare(const server::Round& round, const std::string& device, Timestamp now) const;

  server::RoundPhase phase() const { return phase_; }
  std::set<std::string> members(State state) const;
  std::set<std::string> members() const;

 private:
  void take(const server::RoundActions& actions, Timestamp now);
  void judge(const server::BeginTraining& begin, Timestamp now);
  void judge(const server::Offer& offer, Timestamp now);
  void judge(const server::Later& later, Timestamp now);
  void judge(const server::Aggregate& aggregate, Timestamp now);
  void judge(const server::Abandon& abandon, Timestamp now);
  void require_least_recent(const std::set<std::string>& candidates,
                            const std::set<std::string>& chosen) const;
  void compare_absent(const server::Round& round) const;
  void require_answers(std::size_t joined, Timestamp now) const;
  void finish(const std::string& device, State state, const server::RoundActions& actions);
  void answer(const std::string& device);
  server::Admission admission(const std::string& device) const;
  std::size_t wanted() const;
  std::size_t count(State state) const { return members(state).size(); }
  bool complete() const;
  bool may_begin(Timestamp now) const;
  Milliseconds rest_of(const std::string& device, Timestamp now) const;
  std::set<std::string> awake(Timestamp now) const;

  RoundPlan plan_;
  server::RoundPhase phase_ = server::RoundPhase::selecting;
  server::Crowd crowd_;
  std::optional<Timestamp> goal_waits_;
  Milliseconds pause_{};
  Timestamp pause_ends_{};
  Timestamp selection_ends_{};
  Timestamp deadline_{};
  std::set<std::string> waiting_;
  std::map<std::string, std::optional<Timestamp>> took_part_;
  std::map<std::string, State> members_;
  std::set<std::string> offered_;  // of the last event
  std::set<std::string> put_off_;
};

}  // namespace fl::test
