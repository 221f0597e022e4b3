#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/logger.h>

#include "common/base/clock.h"
#include "protocol/message.h"
#include "server/aggregation/next_version.h"
#include "server/aggregation/round_fold.h"
#include "server/fleet/arrival.h"
#include "server/fleet/task_evaluation.h"
#include "server/fleet/workers.h"
#include "server/ledger/blob_store.h"
#include "server/ledger/ledger.h"
#include "server/ledger/update_spool.h"
#include "server/metrics/metrics.h"
#include "server/registry/registry.h"
#include "server/round/round.h"
#include "server/round/task_history.h"
#include "server/strategy/strategy.h"

namespace fl::server {

/// A device's work in a round.
struct Work {
  std::uint64_t round = 0;
  std::uint64_t version = 0;
  TrainingPlan plan;
  std::uint64_t seed = 0;
  std::uint32_t max_examples = 0;
  float max_delta = 0.0F;
  Encoding encoding = Encoding::fp32;
  Milliseconds time_left{};
  std::uint32_t max_staleness = 0;  ///< How many newer versions may come before its update is worth nothing.
  // Of a task with control variates:
  std::optional<Digest> control;       ///< The server's; without, zeros.
  std::uint64_t control_elements = 0;  ///< Of it; 0: the task has none.
  float max_control = 0.0F;
};

/// What a task tells a device; implemented by the device's session. Must not call back into the runner.
class TaskListener {
 public:
  virtual ~TaskListener() = default;
  virtual void work_offered(const std::string& task, const Work& work) = 0;
  virtual void work_later(const std::string& task, const Later& later) = 0;
  virtual void version_published(const VersionRecord& version) = 0;
  virtual void evaluation_offered(const std::string& task, const EvaluationWork& work) = 0;
  /// Whether the device knows what an evaluation is.
  virtual bool evaluates() const = 0;
  /// Whether the device is still let in; what it sent counts only then.
  virtual bool is_open() const = 0;
};

/// A part of a version that devices may fetch.
struct Part {
  std::filesystem::path path;
  std::uint64_t length = 0;
  Transfer kind = Transfer::weights;
};

/// Runs one task's rounds: carries events to the pure Round, and its actions to ledger, fold and devices.
/// Everything on the one thread of `context`, but for syncing, folding and averaging, on `workers`. Always
/// held by shared_ptr: work in progress keeps it alive.
class TaskRunner : public std::enable_shared_from_this<TaskRunner> {
 public:
  /// How long it waits, so that tests need not.
  struct Pace {
    /// Devices that ask within this time are chosen from together; no longer once all that are here ask.
    Milliseconds settle{50};
    /// Until what the disk refused is tried again.
    Milliseconds retry{5000};
    Pauses pauses{};
  };

  struct Parts {
    boost::asio::io_context& context;
    Workers& workers;
    Ledger& ledger;
    BlobStore& blobs;
    UpdateSpool& spool;
    Registry& registry;
    const Clock& clock;
    std::shared_ptr<spdlog::logger> log;
    Metrics& metrics;
    Pace pace = {};
  };

  TaskRunner(const Parts& parts, TaskRecord task);
  ~TaskRunner();

  /// Takes up the round that was open when the server stopped, or opens the next. Call once. Throws
  /// Error(invalid_data) where the archive or the newest version is missing from the disk.
  void start();
  /// No timer and no new round any more.
  void stop();

  const std::string& name() const { return task_.name; }
  const VersionRecord& latest() const { return latest_; }
  /// Under which number an update of work that this round offered lies in the spool.
  std::uint64_t spool_round(std::uint64_t round) const { return spool_number(task_.plan.round, round); }
  /// The archive, the newest weights, the difference that leads to them where it is on the disk, or the
  /// server's control variate that goes with them.
  std::optional<Part> part(const Digest& hash) const;
  /// For example "round 3 training: 3 of 6 updates".
  std::string state() const;
  TaskMetrics& metrics() const { return metrics_; }
  Compression compression() const { return task_.plan.round.compression; }
  /// Evaluates the task's versions by devices that the rounds have no work for.
  TaskEvaluation& evaluation() const { return *evaluation_; }
  /// Sets what the metrics say of the round.
  void measure() const;

  void subscribe(const std::string& device, TaskListener& listener);
  void unsubscribe(const std::string& device, const TaskListener& listener);
  /// A subscribed device asks for work; it is answered once through its listener.
  void ask(const std::string& device);

  /// A device of the cohort says that it cannot do this round's work: the round waits for it no longer.
  void decline(const std::string& device, std::uint64_t round, const std::string& reason);

  /// Keeps the file of an announced update, whole or in part, while it is being received and taken in: rounds
  /// that end meanwhile leave it. Must not outlive the runner.
  class Kept {
   public:
    Kept(TaskRunner& runner, const Announcement& update);
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;
    ~Kept();

   private:
    TaskRunner& runner_;
    std::multiset<std::filesystem::path>::iterator file_;
  };

  /// What becomes of an update that its device announces; accepted means: send it. Where it is refused for
  /// what no other try would change, the round waits for its device no longer.
  Verdict announced(const Announcement& update);
  /// Whether an announced update may still come.
  Verdict judge(const Announcement& update) const;
  /// Takes in an update all of whose bytes have come. When it returns accepted the update is in the ledger
  /// (I3). Updates that are ready at the same time are recorded in one transaction. `check`, of check_of(),
  /// has looked at all that came.
  boost::asio::awaitable<Verdict> take(Announcement update, IncomingUpdate incoming,
                                       const UpdateCheck& check);
  /// For an update that judge() accepts.
  UpdateCheck check_of(Encoding encoding) const;

 private:
  void require_blobs() const;
  void require_blob(const Digest& hash, std::uint64_t length) const;
  std::optional<Part> difference_part() const;
  void take_up_round();
  /// Once a round has ended: counts what became of its devices, and remembers who took part.
  void account_for_devices(bool committed);
  Endings endings() const;
  /// Whether the plan goes by when a device took part.
  bool remembers_devices() const;
  bool resume_round(const std::vector<RoundRecord>& rounds);
  /// Until the next round may begin.
  Milliseconds pause(Timestamp now) const;
  void open_round(std::uint64_t number, GivenWorks given);
  void let_time_pass();
  void poke();
  void schedule();
  /// Carries actions out. Where the ledger fails, devices are told to come back and the round is taken up
  /// from the ledger a little later.
  void apply(const RoundActions& actions);
  void take_up_again(const std::exception& failure);
  void recover();
  void act(const BeginTraining& begin);
  void act(const Offer& offer);
  void act(const Later& later);
  void act(const Aggregate& aggregate);
  void act(const Abandon& abandon);
  /// Whether the update is of the open round, and from its version.
  Verdict judge_round(const Announcement& update) const;
  /// In a round that is over: a device that missed the answer learns that its update counts, however late.
  Verdict judge_late(const Announcement& update) const;
  /// What came is not what was announced; who sends such again and again is refused.
  Verdict take_broken(const Announcement& update);
  /// Whether an update would count of which nothing is known but what its device says of it.
  Verdict judge_what_is_said(const Announcement& update) const;
  /// Records that the round waits for the device no longer, and why.
  void refuse(Announcement update, const std::string& reason,
              ParticipantState state = ParticipantState::refused);

  // Of asynchronous tasks, in task_buffers.cc.
  /// Whether the update is of work that its device has been given, and not too old.
  Verdict judge_work(const Announcement& update) const;
  bool has_work(const std::string& device, std::uint64_t round) const;
  /// What devices had been given when the server stopped; nothing where the task is not asynchronous.
  GivenWorks open_work() const;
  BufferStart start_of_round(GivenWorks given) const;
  /// Whether the arrival waits until the next buffer takes it.
  bool put_off(const std::shared_ptr<Arrival>& arrival);
  void take_up_arrivals();
  /// Devices that a buffer leaves waiting may evaluate versions meanwhile.
  void let_waiting_evaluate();
  /// Removes the updates of all buffers but the open one and these.
  void prune_buffers(const std::vector<std::uint64_t>& kept);

  bool is_let_in(const std::string& device) const;
  void record_arrivals();
  /// What the round makes of it: its verdict, and the actions that follow once it is recorded.
  RoundActions settle(Arrival& arrival);
  /// An arrival that is recorded: into the fold, or away with it.
  void file(const Arrival& arrival);
  /// Makes the update's record whole.
  void complete(Announcement& update, ParticipantState state, const std::string& reason) const;
  SpooledUpdate spooled(const ParticipantRecord& record) const;
  boost::asio::awaitable<void> aggregate();
  /// The fold with every accepted update in it, hashed and folded `anew` or as it is; null where the round
  /// was abandoned, or the runner stopped.
  boost::asio::awaitable<std::shared_ptr<RoundFold>> folded(bool anew);
  boost::asio::awaitable<void> pause_before_another_try(const std::string& failure);
  boost::asio::awaitable<VersionRecord> make_version(const ExactFold& sum);
  RoundResult next_version(const ExactFold& sum, const BaseVersion& base, std::vector<RoundUpdate> updates,
                           const DifferencePlan& difference) const;
  /// Of the version that the open round makes.
  DifferencePlan difference_plan() const;
  std::vector<RoundUpdate> accepted_updates() const;
  void refold();
  void clear_spool(std::uint64_t round);
  void prune(bool is_start);
  void prune_updates();
  /// Those of the open round that a power cut may take, and that have to stay when it is committed.
  std::set<std::filesystem::path> updates_to_keep() const;
  /// Where the round's accepted updates lie.
  std::set<std::filesystem::path> accepted_files(std::uint64_t round) const;
  void prune_versions(bool is_start);
  bool finished() const;
  void publish(const VersionRecord& version);
  std::shared_ptr<RoundFold> make_fold() const;
  /// That an element of an update may have, however it travelled.
  float largest_delta() const;
  float largest_control() const;
  float largest_element() const;  ///< Of both.
  /// Of a device's control variate and the server's; 0 where the strategy has none.
  std::size_t control_elements() const;
  /// Of an update.
  std::size_t update_elements() const { return task_.layout.size() + control_elements(); }
  double quantum() const;

  static constexpr const char* disk_trouble = "the server has trouble with its disk";

  Parts parts_;
  TaskRecord task_;
  TaskMetrics& metrics_;
  Digest layout_hash_;
  std::unique_ptr<Strategy> strategy_;
  VersionRecord latest_;
  TaskHistory history_;
  std::map<std::string, Timestamp>
      took_part_;  ///< By device, as the ledger has it; empty where the plan does not ask.
  std::unique_ptr<Round> round_;
  double quantum_ = 0.0;  ///< Of the open round.
  Timestamp round_began_{};
  std::shared_ptr<RoundFold> fold_;
  std::map<std::string, TaskListener*> listeners_;
  std::shared_ptr<TaskEvaluation> evaluation_;
  boost::asio::steady_timer wake_;
  boost::asio::steady_timer settle_;
  boost::asio::steady_timer retry_;
  std::vector<std::shared_ptr<Arrival>> arrivals_;  ///< Checked, and not yet recorded.
  std::multiset<std::filesystem::path> kept_;
  std::map<std::string, int> broken_;  ///< By device: updates in this round that did not hash to their name.
  bool settling_ = false;
  bool recovering_ = false;
  bool stopped_ = false;
};

}  // namespace fl::server
