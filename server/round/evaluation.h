#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/model/plan.h"
#include "server/round/round.h"

namespace fl::server {

/// Where an evaluation is; the last two are its ends.
enum class EvaluationPhase : std::uint8_t {
  waiting,     ///< No device has been found.
  running,     ///< Devices evaluate; reports come in.
  complete,    ///< At least the minimum has come.
  incomplete,  ///< Fewer have.
};

const char* name(EvaluationPhase phase);

// What an evaluation asks of whoever runs it.

/// The first devices have been chosen: record it and them, before any offer goes out.
struct BeginEvaluation {
  std::vector<std::string> devices;
  Timestamp deadline;
};
/// Further devices have been chosen: record them, before any offer goes out.
struct AddEvaluators {
  std::vector<std::string> devices;
};
/// Give this device the evaluation.
struct OfferEvaluation {
  std::string device;
};
/// This device has asked and is not needed.
struct TurnAway {
  std::string device;
};
/// Record that the evaluation has ended and what its reports add up to.
struct EndEvaluation {
  bool complete = false;
  std::string reason;  ///< Why it ended before its goal; empty where it reached it.
};
using EvaluationAction =
    std::variant<BeginEvaluation, AddEvaluators, OfferEvaluation, TurnAway, EndEvaluation>;
using EvaluationActions = std::vector<EvaluationAction>;

/// The evaluation of one version on devices' own held-out examples: (state, event, now) → actions. Pure: no
/// socket, clock, thread or file; the same seed and events give the same actions. One thread at a time.
///
/// Devices come in one by one, those that the round has no work for, so the round has the first choice. Of
/// those that wait together as many are chosen as there are places: `goal` less those that have reported or
/// are at it. Which, depends on the seed and on who waits, not on their order, nor on how the round chose.
///
/// It ends with `goal` reports, at the deadline, which counts from the first offer, or when a newer version
/// that is to be evaluated comes. Once any newer version is there nobody new is chosen, since devices hold
/// that one, and it also ends when nobody is left to wait for. With less than `minimum` reports at its end it
/// is incomplete. A clock that is set back makes no wait longer than the plan has it.
class VersionEvaluation {
 public:
  VersionEvaluation(std::uint64_t number, std::uint64_t version, const EvaluationPlan& plan,
                    std::uint64_t seed)
      : number_(number), version_(version), plan_(plan), seed_(seed) {}

  /// One that had begun when the server stopped, with all of its time again. `reported` and `refused` are
  /// part of `selected`. time_passed() must follow soon, since it may have reached its goal.
  static VersionEvaluation resume(const VersionEvaluation& fresh, Timestamp now,
                                  const std::set<std::string>& selected,
                                  const std::set<std::string>& reported,
                                  const std::set<std::string>& refused);

  std::uint64_t number() const { return number_; }
  std::uint64_t version() const { return version_; }
  EvaluationPhase phase() const { return phase_; }
  bool has_ended() const { return phase_ > EvaluationPhase::running; }
  Timestamp deadline() const { return deadline_; }
  std::size_t reported() const { return count(Member::reported); }

  /// Whether a device that asked now might be chosen.
  bool has_use_for(const std::string& device) const;

  // Events. Arrivals are answered by time_passed(), so that devices that ask together are chosen from
  // together, or by what ends the evaluation.
  /// A device asks, which it has use for. It is answered exactly once, by OfferEvaluation or TurnAway, unless
  /// it leaves first.
  void device_arrived(const std::string& device) { waiting_.insert(device); }
  /// A device's connection ended.
  void device_left(const std::string& device);
  /// An admitted report is in the ledger.
  EvaluationActions reported(const std::string& device);
  /// An admitted report was refused for what it says, or the device declined to make one.
  EvaluationActions refused(const std::string& device);
  /// A newer version was published, which is to be evaluated itself, or not.
  EvaluationActions version_published(bool is_due);
  /// To be called soon after every arrival and whenever wake_after() has come.
  EvaluationActions time_passed(Timestamp now);

  /// Whether a report of this device would count now.
  Admission admission(const std::string& device) const;
  /// When, after `now`, time_passed() is needed though nothing else happens; nothing: only after an event.
  std::optional<Timestamp> wake_after(Timestamp now) const;

 private:
  enum class Member : std::uint8_t { working, away, reported, refused };

  Timestamp ends(Timestamp now) const;
  std::size_t count(Member member) const;
  std::size_t places() const;
  bool may_come_back(const std::string& device) const;
  std::vector<std::string> choose() const;
  void answer_waiting(Timestamp now, EvaluationActions& actions);
  EvaluationActions end_if_done();
  EvaluationActions end(const std::string& reason);

  std::uint64_t number_;
  std::uint64_t version_;
  EvaluationPlan plan_;
  std::uint64_t seed_;
  Timestamp deadline_{};
  EvaluationPhase phase_ = EvaluationPhase::waiting;
  bool superseded_ = false;
  std::set<std::string> waiting_;
  std::map<std::string, Member> members_;
};

}  // namespace fl::server
