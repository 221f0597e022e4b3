#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <spdlog/logger.h>

#include "common/base/clock.h"
#include "server/fleet/workers.h"
#include "server/home/server_home.h"
#include "server/ledger/blob_store.h"
#include "server/ledger/ledger.h"
#include "server/ledger/update_spool.h"
#include "server/metrics/metrics.h"
#include "server/registry/registry.h"

namespace fl::server {

/// The devices' side of the server: listens, enrols, renews certificates, runs every task's rounds.
///
/// Refers to what it is given, which outlives it. Everything happens on the one thread that runs `context`,
/// but for moving, syncing, checking, folding and averaging of updates and versions, on `workers`.
class Fleet {
 public:
  struct Parts {
    /// Must outlive `context`, whose handlers may still hold what refers to it; the fleet joins it at its
    /// end.
    Workers& workers;
    boost::asio::io_context& context;
    const ServerHome& home;
    Ledger& ledger;
    BlobStore& blobs;
    UpdateSpool& spool;
    Registry& registry;
    const Clock& clock;
    std::shared_ptr<spdlog::logger> log;
    Metrics& metrics;
  };

  /// Listens and takes up the rounds that were open. Throws Error(unavailable) where the port is taken,
  /// naming it.
  explicit Fleet(const Parts& parts);
  ~Fleet();

  std::uint16_t port() const;
  std::size_t connections() const;
  /// How many connections, of devices and of strangers, have ended since the beginning.
  std::uint64_t departures() const;
  /// For example "round 3 selecting: 3 of 6 devices".
  std::string round_state(const std::string& task) const;
  /// Sets what the metrics say of connections and rounds; to be called before they are read.
  void measure() const;
  /// Begins the rounds of a task that was added to the ledger, and tells the devices that are connected.
  void start_task(const std::string& task);
  /// Ends a device's connection, if it has one.
  void disconnect(const std::string& device);
  /// Takes no new connections and ends those there are, but where an update or a part is on its way; returns
  /// at once. The context runs out of work when the last connection has gone, at the latest after ten
  /// seconds.
  void drain();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fl::server
