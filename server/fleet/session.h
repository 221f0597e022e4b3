#pragma once

#include <memory>
#include <set>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/logger.h>

#include "common/net/connection.h"
#include "server/fleet/certificate_office.h"
#include "server/fleet/messages.h"
#include "server/fleet/task_directory.h"
#include "server/fleet/task_runner.h"
#include "server/fleet/transfer_slots.h"

namespace fl::server {

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
    const Clock& clock;
    std::shared_ptr<spdlog::logger> log;
  };

  Session(const Parts& parts, std::unique_ptr<net::Connection> connection, std::string device);
  ~Session() override;

  const std::string& device() const { return device_; }

  /// Talks until the connection ends. Never throws: what ended it is logged.
  boost::asio::awaitable<void> run();
  /// Ends the connection now.
  void close();
  /// Ends it as soon as no update or part is on its way.
  void close_when_idle();

  void work_offered(const std::string& task, const Work& work) override;
  void work_later(const std::string& task, Milliseconds retry_after, const std::string& reason) override;
  void version_published(const VersionRecord& version) override;

 private:
  using Awaitable = boost::asio::awaitable<void>;

  Awaitable converse();
  Awaitable greet();
  Awaitable keep_alive();
  Awaitable handle(const wire::Message& message);
  Awaitable on(const wire::Subscribe& message);
  Awaitable on(const wire::WorkRequest& message);
  Awaitable on(const wire::Fetch& message);
  Awaitable on(const wire::UpdateAnnounce& message);
  Awaitable on(const wire::RenewRequest& message);
  boost::asio::awaitable<Verdict> receive_update(TaskRunner& runner, const Announcement& update);
  /// Why the disk did not take them; empty where it did.
  boost::asio::awaitable<std::string> receive_chunks(IncomingUpdate& incoming);
  Awaitable send_part(const Part& part, std::uint64_t offset);
  Awaitable write(MessageBuffer message);
  Awaitable refuse(wire::RefusalCode code, std::string sentence);
  void send(MessageBuffer message);
  void leave();

  Parts parts_;
  std::unique_ptr<net::Connection> connection_;
  std::string device_;
  std::set<std::string> subscribed_;
  boost::asio::steady_timer keep_alive_timer_;
  std::size_t sends_in_flight_ = 0;
  bool busy_ = false;
  bool closing_ = false;
};

}  // namespace fl::server
