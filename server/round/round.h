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
#include "server/round/pace.h"

namespace fl::server {

/// Where a round is. It goes down this list; the last two are its ends.
enum class RoundPhase : std::uint8_t {
  selecting,    ///< Devices are asking; none has been given work.
  training,     ///< A cohort has been chosen; updates come in.
  aggregating,  ///< Enough came in; the next version is being made.
  committed,
  abandoned,
};

const char* name(RoundPhase phase);

// What the round asks of whoever runs it.

/// The cohort has been chosen: record it, before any offer goes out.
struct BeginTraining {
  std::vector<std::string> cohort;
  Timestamp deadline;
};
/// Give this device the round's work; `joins` where it was not in the cohort before (record it first).
struct Offer {
  std::string device;
  bool joins = false;
};
/// Tell this device to ask again later.
struct Later {
  std::string device;
  Milliseconds retry_after;
  std::string reason;
  bool firm = false;  ///< A new version does not end the wait.
};
/// Make the next version of the accepted updates, then call committed() or failed().
struct Aggregate {};
/// Record that the round came to nothing; what it accepted is recorded with it (I3).
struct Abandon {
  std::string reason;
};
using RoundAction = std::variant<BeginTraining, Offer, Later, Aggregate, Abandon>;
using RoundActions = std::vector<RoundAction>;

/// What becomes of an update that a device announces.
enum class Admission : std::uint8_t {
  admitted,
  already_accepted,
  round_closed,
  not_selected,
  deferred,  ///< Of an asynchronous task: not now, but in the buffer that begins next.
};

/// What a device of an asynchronous task has been given to do and has not done.
struct GivenWork {
  std::uint64_t round = 0;    ///< The buffer that was open when it was offered.
  std::uint64_t version = 0;  ///< To train from.
  Timestamp until{};          ///< So long it takes one of the places; it may be done later.
};
using GivenWorks = std::map<std::string, GivenWork>;

/// What a buffer of an asynchronous task begins with.
struct BufferStart {
  std::uint64_t version = 0;  ///< The newest.
  GivenWorks given;           ///< In buffers before.
};

/// Why a device of the cohort has no part in what the round came to.
enum class Absence : std::uint8_t {
  late,     ///< It was at work when training ended, at the deadline.
  dropped,  ///< Its connection had ended by then.
  surplus,  ///< It was at work when the goal was met without it.
};

/// One round of a task: (state, event, now) → actions. Pure: no socket, clock, thread or file; the same seed
/// and events give the same actions, in the server and in simulation. One thread at a time.
///
/// Selecting ends once goal × over_selection devices wait; once `goal` wait and have waited two seconds, or
/// are all that there are; or once `minimum` wait and the time for selection is over. Sampled by who took
/// part least recently, a round gives those two seconds to all. Which of the waiting devices are chosen
/// depends on the plan's sampling, the seed and who waits, not on their order. Places that are free then go
/// to those who ask later.
/// Training ends with `goal` accepted updates; with at least `minimum` when nobody in the cohort is left to
/// wait for, or at the deadline. With fewer at the deadline the round is abandoned. A clock that is set back
/// makes no wait longer than the plan has it.
///
/// A device that took part, which is that its update became part of a version, rests for the plan's
/// min_period from when that update was accepted: it is not chosen and does not join, and is told when its
/// rest is over. Who is not needed otherwise is told to come when the round is over, in a minute at most and
/// at once when a version comes before; of a crowd (pace.h) each is told a moment of its own.
///
/// A round of an asynchronous task (RoundPlan::asynchronous()) is a buffer: it chooses no cohort, has no
/// deadline, and aggregates `goal` updates. It begins once a device asks or has work from before. Who asks
/// gets work at once while a place is free, of which there are `server_concurrency`; who does not, since none
/// is or since its update is in this buffer, waits unanswered and may be passed on to the next. Work stays
/// given until its update comes, its device is given other work, or its version is more than
/// `server_max_staleness` behind: an update counts in the buffer in which it comes, once (I3).
class Round {
 public:
  /// Opened `pause` before it may begin, as after rounds that were abandoned; devices wait meanwhile.
  Round(std::uint64_t number, const RoundPlan& plan, Timestamp opened, Milliseconds pause = {});
  /// Of an asynchronous task, whose devices have work all the time and so no pause.
  Round(std::uint64_t number, const RoundPlan& plan, Timestamp opened, BufferStart start);

  /// A round that had begun training when the server stopped, with all of its time again: devices may have to
  /// train anew. `accepted` and `refused` are part of `cohort`. The first event must be time_passed(), since
  /// the round may be complete.
  static Round resume(std::uint64_t number, const RoundPlan& plan, Timestamp now,
                      const std::set<std::string>& cohort, const std::set<std::string>& accepted,
                      const std::set<std::string>& refused, BufferStart start = {});

  std::uint64_t number() const { return number_; }
  RoundPhase phase() const { return phase_; }
  /// The devices that ask and have not been answered; whoever opens the next round passes them on to it.
  const std::set<std::string>& waiting() const { return waiting_; }
  std::size_t cohort_size() const { return cohort_.size(); }
  std::size_t accepted() const { return count(Member::accepted); }
  /// By when work that is offered now is to be done.
  Timestamp work_ends(Timestamp now) const;
  /// Until when this device, which was just offered work, has time for it: in an asynchronous task from when
  /// it was first offered, however often the device asks again.
  Timestamp work_ends(const std::string& device, Timestamp now) const;
  /// What devices of an asynchronous task have to do, of this buffer and of those before.
  const GivenWorks& given() const { return given_; }
  /// The seed of a device's training in this round.
  std::uint64_t device_seed(const std::string& device) const;

  // Events. Arrivals are answered by time_passed(), so that devices that ask together are chosen from
  // together.
  /// A device asks for work that last took part then, if ever. It is answered exactly once, by Offer or
  /// Later, unless it leaves first.
  void device_arrived(const std::string& device, std::optional<Timestamp> took_part = std::nullopt);
  /// A device that waits has been answered by others; it waits no longer.
  void device_answered(const std::string& device) { waiting_.erase(device); }
  /// How many devices there are now, and how long rounds take.
  void crowd_is(const Crowd& crowd) { crowd_ = crowd; }
  /// A device's connection ended.
  void device_left(const std::string& device);
  /// An admitted update is in the ledger.
  RoundActions update_accepted(const std::string& device);
  /// An admitted update was refused for what it holds, or the device declined to make one.
  RoundActions update_refused(const std::string& device);
  /// To be called soon after every arrival and whenever wake_after() has come.
  RoundActions time_passed(Timestamp now);
  void committed();
  RoundActions failed(const std::string& reason);

  /// Once training is over: those of the cohort that it ended without, but for those that were refused.
  /// Nobody in an asynchronous task, whose devices go on with what they have been given.
  std::map<std::string, Absence> absent() const;

  /// Whether an update of this device would count now.
  Admission admission(const std::string& device) const;
  /// When, after `now`, time_passed() is needed though nothing else happens; nothing: only after an event.
  std::optional<Timestamp> wake_after(Timestamp now) const;

 private:
  enum class Member : std::uint8_t { working, away, accepted, refused };

  std::size_t wanted() const;
  Timestamp pause_ends(Timestamp now) const;
  Timestamp patience_ends(Timestamp now) const;
  Timestamp selection_ends(Timestamp now) const;
  Timestamp training_ends(Timestamp now) const;
  std::size_t count(Member member) const;
  Milliseconds rest_of(const std::string& device, Timestamp now) const;
  /// Since when the goal waits, as far as it does.
  void look_for_goal(Timestamp now);
  bool can_begin(Timestamp now) const;
  std::vector<std::string> choose(std::vector<std::string> candidates, std::size_t count) const;
  void begin(Timestamp now, RoundActions& actions);
  void answer_resting(Timestamp now, RoundActions& actions);
  void answer_waiting(Timestamp now, RoundActions& actions);
  void end_training_if_due(Timestamp now, RoundActions& actions);
  bool is_complete() const;
  RoundActions aggregate_if_complete();
  RoundActions conclude(const std::string& device, Member member);
  // Of asynchronous tasks, in buffer.cc.
  RoundActions fill_places(Timestamp now);
  bool has_been_heard(const std::string& device) const;
  std::vector<std::string> next_at_work(Timestamp now) const;
  std::size_t free_places(Timestamp now) const;
  std::optional<Timestamp> places_change(Timestamp now) const;
  Later later(const std::string& device, Timestamp now) const;

  std::uint64_t number_;
  RoundPlan plan_;
  Timestamp opened_;
  Milliseconds pause_{};
  Crowd crowd_;
  std::optional<Timestamp> goal_waits_;
  Timestamp deadline_{};
  RoundPhase phase_ = RoundPhase::selecting;
  std::set<std::string> waiting_;
  std::map<std::string, Timestamp> took_part_;  ///< Of those who have asked.
  std::map<std::string, Member> cohort_;
  std::uint64_t version_ = 0;  // of asynchronous tasks, as all that follows
  GivenWorks given_;
  std::uint64_t gifts_ = 0;  // how often a buffer has given work
};

}  // namespace fl::server
