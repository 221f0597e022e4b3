#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/sinks/ringbuffer_sink.h>

#include "server/fleet/task_runner.h"
#include "server/home/server_home.h"
#include "tests/support/temporary_folder.h"

namespace fl::test {

/// What devices and operator were told by a server, over all of its lives.
struct Told {
  bool task_added = false;
  std::set<std::pair<std::string, std::uint64_t>> acknowledged;  ///< Device and round.
  std::map<std::uint64_t, Digest> published;                     ///< Weights by version.

  bool has_reached(std::uint64_t version) const {
    return !published.empty() && published.rbegin()->first >= version;
  }
};

/// Plans of the task "tiny": two devices that must both send, and a strategy that carries something on.
RoundPlan two_device_plan();
/// The same with control variates.
RoundPlan scaffold_plan();
/// Each update makes a version, so that the other device's is then behind.
RoundPlan buffer_plan();

/// Makes a server's home with the devices "a" and "b" and without a task.
void make_home_of_two(const std::filesystem::path& folder);

/// What a device makes of a version: the same whenever it is asked. With what its control variate changes by,
/// where the plan has them.
std::vector<float> delta_of(const std::string& device, std::uint64_t version, const RoundPlan& plan);

/// One life of a server on a disk: the ledger, the stores and the runner of the task "tiny", with the devices
/// "a" and "b" in the same process, of which one sends at a time. Everything on the calling thread and one
/// worker, so that the same life does the same to the disk, in the same order.
class SimulatedServer {
 public:
  /// Throws Error as the disk has it. What is referred to outlives it.
  SimulatedServer(const std::filesystem::path& home, Disk& disk, const RoundPlan& plan, Told& told);
  SimulatedServer(const SimulatedServer&) = delete;
  SimulatedServer& operator=(const SimulatedServer&) = delete;
  ~SimulatedServer();

  /// Adds the task if it is not there, starts its rounds, and lets it live until `enough` says so, which is
  /// asked after whatever happens. Throws Error as the disk has it; std::runtime_error where nothing happens
  /// for a minute.
  void run(const std::function<bool()>& enough);

  std::vector<std::string> log_lines() const { return lines_->last_formatted(); }

 private:
  struct Device;
  struct Offer {
    Device* device;
    server::Work work;
  };

  void add_task();
  void start();
  void send_next();
  boost::asio::awaitable<void> send(Offer offer);
  boost::asio::awaitable<server::Verdict> deliver(const server::Announcement& update, const Bytes& bytes);

  RoundPlan plan_;
  Told& told_;
  SystemClock clock_;
  server::Metrics metrics_;
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> lines_ =
      std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(1000);
  server::ServerHome home_;
  server::Ledger ledger_;
  server::BlobStore blobs_;
  server::UpdateSpool spool_;
  server::Registry registry_;
  server::Workers workers_{1, 1};
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  std::list<Device> devices_;
  std::deque<Offer> offers_;
  bool sending_ = false;
  std::shared_ptr<server::TaskRunner> runner_;
};

}  // namespace fl::test
