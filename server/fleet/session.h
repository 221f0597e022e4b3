#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/logger.h>

#include "common/net/connection.h"
#include "server/entrance/rate_limiter.h"
#include "server/entrance/refusals.h"
#include "server/fleet/certificate_office.h"
#include "server/fleet/messages.h"
#include "server/fleet/task_directory.h"
#include "server/fleet/task_runner.h"
#include "server/fleet/transfer_slots.h"
#include "server/fleet/workers.h"

namespace fl::server {

/// Why a device that has connected is not served now.
struct Objection {
  const char* reason;  ///< As the metrics name it.
  std::string sentence;
};

/// One device's conversation on fl/1, from Hello to the end of the connection. Lives on the fleet's thread,
/// always held by shared_ptr; whatever it refers to outlives it.
class Session final : public TaskListener, public std::enable_shared_from_this<Session> {
 public:
  struct Parts {
    boost::asio::io_context& context;
    TaskDirectory& tasks;
    UpdateSpool& spool;
    CertificateOffice& certificates;
    TransferSlots& slots;
    Workers& workers;
    const Clock& clock;
    std::shared_ptr<spdlog::logger> log;
    Refusals& refusals;
  };

  /// With an objection the device is told that and no more.
  Session(const Parts& parts, std::unique_ptr<net::Connection> connection, std::string device,
          std::optional<Objection> objection);
  ~Session() override;

  const std::string& device() const { return device_; }

  /// Talks until the connection ends. Never throws: what ended it is logged.
  boost::asio::awaitable<void> run();
  /// Ends the connection now.
  void close();
  /// Ends it as soon as no update or part is on its way.
  void close_when_idle();

  /// Tells the device, which may subscribe to it.
  void task_added(const std::string& task);

  void work_offered(const std::string& task, const Work& work) override;
  void work_later(const std::string& task, const Later& later) override;
  void version_published(const VersionRecord& version) override;
  bool is_open() const override { return !closed_; }
  void evaluation_offered(const std::string& task, const EvaluationWork& work) override;
  bool evaluates() const override { return evaluates_; }

 private:
  using Awaitable = boost::asio::awaitable<void>;

  Awaitable converse();
  Awaitable greet();
  Awaitable keep_alive();
  /// Waits where the device has said more than its share.
  Awaitable keep_pace();
  Awaitable handle(const wire::Message& message);
  Awaitable on(const wire::Subscribe& message);
  Awaitable on(const wire::WorkRequest& message);
  void on(const wire::WorkDeclined& message);
  Awaitable on(const wire::Fetch& message);
  Awaitable on(const wire::UpdateAnnounce& message);
  Awaitable on(const wire::RenewRequest& message);
  Awaitable on(const wire::EvaluationReport& message);
  boost::asio::awaitable<TransferSlots::Slot> wait_for_slot();
  boost::asio::awaitable<Verdict> receive_update(TaskRunner& runner, const Announcement& update);
  /// Takes all the bytes that were announced; why they could not be kept, empty where they were.
  boost::asio::awaitable<std::string> receive_bytes(TaskRunner& runner, const Announcement& update,
                                                    UpdateCheck& check,
                                                    std::optional<IncomingUpdate>& incoming);
  /// Throws Error(cancelled) where the connection is closed meanwhile.
  Awaitable pause(std::chrono::milliseconds time);
  /// Throws Error(failed_precondition) as long as an older connection of the device holds the update.
  boost::asio::awaitable<IncomingUpdate> open_update(const TaskRunner& runner, const Announcement& update,
                                                     UpdateCheck& check);
  /// `wanted` says of every chunk whether the update may still count.
  boost::asio::awaitable<std::string> receive_chunks(IncomingUpdate& incoming,
                                                     const std::function<bool()>& wanted,
                                                     TaskMetrics& metrics, Transfer kind, bool compressed);
  /// Why the chunk could not be kept; empty where it was.
  boost::asio::awaitable<std::string> append(IncomingUpdate& incoming, ByteView chunk);
  /// Throws Error(timeout) where a transfer that has moved so many bytes holds others up.
  void make_way(std::uint64_t moved, const Stopwatch& since) const;
  struct OwnedPart {
    std::shared_ptr<TaskRunner> owner;  ///< Null: there is no such part.
    Part part;
  };
  OwnedPart find_part(ByteView hash) const;
  Awaitable send_part(const Part& part, std::uint64_t offset, TaskMetrics& metrics);
  Awaitable write(MessageBuffer message);
  /// Says no to a message; the conversation goes on.
  Awaitable refuse(wire::RefusalCode code, std::string sentence);
  /// The same to an update that belongs to no task's runner.
  Awaitable turn_down(Verdict verdict);
  void tell_operator(const TaskRunner& runner, const Announcement& update, const Verdict& verdict);
  void tell_operator(const TaskRunner& runner, const Report& report, const Verdict& verdict);
  /// Logs what ended the conversation, and says it to the peer where it still listens.
  Awaitable part_with(wire::RefusalCode code, std::string reason, std::string sentence);
  void send(MessageBuffer message);
  void leave();

  Parts parts_;
  std::unique_ptr<net::Connection> connection_;
  std::string device_;
  std::optional<Objection> objection_;
  std::set<std::string> subscribed_;
  boost::asio::steady_timer keep_alive_timer_;
  boost::asio::steady_timer pace_timer_;
  RateLimiter messages_;
  std::size_t sends_in_flight_ = 0;
  bool greeted_ = false;
  bool evaluates_ = false;
  bool takes_differences_ = false;
  bool compresses_ = false;
  std::optional<Timestamp> renewed_;
  bool closed_ = false;
  bool busy_ = false;
  bool closing_ = false;
};

}  // namespace fl::server
