#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <spdlog/logger.h>

#include "common/base/clock.h"
#include "protocol/message.h"
#include "server/fleet/arrival.h"
#include "server/fleet/next_version.h"
#include "server/fleet/round_fold.h"
#include "server/fleet/task_evaluation.h"
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
/// Everything on the one thread of `context`, but for reading, folding and averaging, on `workers`. Always
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
    boost::asio::thread_pool& workers;
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
  /// The archive or the newest weights.
  std::optional<Part> part(const Digest& hash) const;
  /// For example "round 3 training: 3 of 6 updates".
  std::string state() const;
  TaskMetrics& metrics() const { return metrics_; }
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

  /// What becomes of an update that its device announces; accepted means: send it. Where it is refused for
  /// what no other try would change, the round waits for its device no longer.
  Verdict announced(const Announcement& update);
  /// Whether an announced update may still come.
  Verdict judge(const Announcement& update) const;
  /// Takes in an update all of whose bytes have come. When it returns accepted the update is in the ledger
  /// (I3). Updates that are ready at the same time are recorded in one transaction.
  boost::asio::awaitable<Verdict> take(Announcement update, IncomingUpdate incoming);

 private:
  void require_blobs() const;
  void require_blob(const Digest& hash, std::uint64_t length) const;
  void take_up_round();
  /// Once a round has ended: counts what became of its devices, and remembers who took part.
  void account_for_devices(bool committed);
  Endings endings() const;
  /// Whether the plan goes by when a device took part.
  bool remembers_devices() const;
  bool resume_round(const std::vector<RoundRecord>& rounds);
  void open_round(std::uint64_t number);
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
  /// Whether an update would count of which nothing is known but what its device says of it.
  Verdict judge_what_is_said(const Announcement& update) const;
  /// Records that the round waits for the device no longer, and why.
  void refuse(Announcement update, const std::string& reason,
              ParticipantState state = ParticipantState::refused);
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
  RoundResult next_version(const ExactFold& sum, const BaseVersion& base,
                           std::vector<RoundUpdate> updates) const;
  std::vector<RoundUpdate> accepted_updates() const;
  void refold();
  void clear_spool(std::uint64_t round);
  void prune(bool is_start);
  void prune_updates();
  void prune_versions(bool is_start);
  bool finished() const;
  void publish(const VersionRecord& version);
  std::shared_ptr<RoundFold> make_fold() const;
  /// That an element of an update may have, however it travelled.
  float largest_delta() const;
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
  bool settling_ = false;
  bool recovering_ = false;
  bool stopped_ = false;
};

}  // namespace fl::server
