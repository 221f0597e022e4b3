#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <spdlog/logger.h>

#include "common/engine/engine.h"
#include "common/net/endpoint.h"
#include "server/home/server_home.h"

namespace fl::server {

/// The server's endpoint for predictions, over HTTPS (docs/serving.md): each task's newest version, and any
/// other by its number. It listens, and opens new versions, while the ledger has a key; who shows it may ask.
///
/// Owns its threads, two of which look at the ledger again and again, one for keys, one for versions, and are
/// told of nothing else: rounds and devices are not disturbed. Its methods are for any thread.
class ServerEndpoint {
 public:
  struct Settings {
    net::Endpoint listen;
    std::size_t executors = 1;                   ///< Copies of each model, which answer at the same time.
    std::chrono::milliseconds look_time{1'000};  ///< From one look at the ledger to the next.
    /// Gives the engine when there is a model to open; empty: libtorch's.
    std::function<std::shared_ptr<Engine>()> engine = {};
  };

  ServerEndpoint(const ServerHome& home, Settings settings, std::shared_ptr<spdlog::logger> log);
  ServerEndpoint(const ServerEndpoint&) = delete;
  ServerEndpoint& operator=(const ServerEndpoint&) = delete;
  /// Accepts no more, answers the requests that are whole, and waits for that.
  ~ServerEndpoint();

  /// Where it listens; nothing while there is no key, or the port is taken.
  std::optional<std::uint16_t> port() const;
  /// What it has answered, in Prometheus's text format.
  std::string metrics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fl::server
