#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/agent/events.h"
#include "client/serving/local_models.h"
#include "common/net/endpoint.h"

namespace fl::client {

/// A device's endpoint: answers predictions over HTTP on loopback, with the versions that serve in a home,
/// beside a process that owns the home or without one (docs/serving.md). Needs no network.
///
/// Owns its threads, which answer and run the models. Its methods belong to one thread.
class DeviceEndpoint {
 public:
  struct Settings {
    net::Endpoint listen{"127.0.0.1", 0};  ///< An address of loopback; port 0: a free one.
    /// A listening socket to take over, in place of opening one; see inherited_socket().
    std::optional<int> socket = {};
    std::vector<std::string> origins = {};  ///< Whose web pages may ask.
    LocalModelsSettings models = {};
    std::shared_ptr<Engine> engine = {};  ///< Empty: libtorch's, loaded when there is a version to open.
    EventListener on_event = {};          ///< On any thread.
    std::string program_version = {};     ///< As the server's metadata say.
  };

  /// Opens what there is and begins to answer. Throws Error: not_found (no home), invalid_argument (not an
  /// address of loopback), unavailable (the port is taken).
  DeviceEndpoint(const std::filesystem::path& home, const Settings& settings);
  DeviceEndpoint(const DeviceEndpoint&) = delete;
  DeviceEndpoint& operator=(const DeviceEndpoint&) = delete;
  /// Accepts no more, answers the requests that are whole, and waits for that.
  ~DeviceEndpoint();

  /// Where it listens.
  const net::Endpoint& address() const;
  /// Where the key is that requests need.
  std::filesystem::path key_path() const;
  /// Since when nobody has been answered; nothing while somebody is.
  std::optional<std::chrono::steady_clock::time_point> idle_since() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fl::client
