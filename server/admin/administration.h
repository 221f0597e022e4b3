#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "common/base/clock.h"
#include "server/home/server_home.h"
#include "server/ledger/blob_store.h"
#include "server/ledger/ledger.h"
#include "server/registry/registry.h"

namespace fl::server {

/// What a running server can tell and do beyond its ledger. Empty functions where no server runs.
struct LiveServer {
  std::function<std::uint16_t()> port;                              ///< The port it listens on.
  std::function<std::size_t()> connections;                         ///< Devices connected now.
  std::function<std::string(const std::string& task)> round_state;  ///< As TaskRunner::state() has it.
  std::function<void(const std::string& device)> disconnect;        ///< Ends a revoked device's connection.
  std::function<void(const std::string& task)> task_added;          ///< Begins its rounds.
};

class Request;

/// The operator's commands on a home, as JSON in and JSON out: the same whether a running server executes
/// them (asked over the home's Unix socket) or the command-line program itself where none runs.
///
/// A request is {"command": NAME, …}; an answer {"ok": true, …} or {"ok": false, "code": …, "error": …}.
/// Moments are milliseconds since the Unix epoch; contracts, plans and layouts are JSON texts within it.
///
///   status
///   tasks
///   task           task                         → the whole of a task: plan, contract, layout, archive
///   task-add       task, plan, contract, layout, archive, weights (hashes of blobs that are there)
///   token          name?, hours?, count?        → enrolment tokens
///   key-add        name, tasks? (with commas), per_minute?   → the key, which is nowhere else
///   key-remove     name
///   keys
///   devices
///   device-revoke  device
///   rounds         task, after?, limit?         → with what the participants did, and if there are more
///   versions       task, after?, limit?         → with how devices evaluated them, and if there are more
///
/// One thread at a time.
class Administration {
 public:
  Administration(const ServerHome& home, Ledger& ledger, BlobStore& blobs, Registry& registry,
                 const Clock& clock, LiveServer live);

  /// Never throws: every failure is an answer.
  std::string execute(std::string_view request);

 private:
  boost::json::object answer(const Request& request);
  boost::json::object status() const;
  boost::json::object tasks() const;
  boost::json::object task(const Request& request) const;
  boost::json::object add_task(const Request& request);
  boost::json::object make_tokens(const Request& request);
  boost::json::object add_key(const Request& request);
  boost::json::object remove_key(const Request& request);
  boost::json::object keys() const;
  boost::json::object devices() const;
  boost::json::object revoke_device(const Request& request);
  boost::json::object rounds(const Request& request) const;
  boost::json::object versions(const Request& request) const;

  TaskRecord known_task(const Request& request) const;
  std::string round_state(const std::string& task) const;
  net::Endpoint public_endpoint() const;

  const ServerHome& home_;
  Ledger& ledger_;
  BlobStore& blobs_;
  Registry& registry_;
  const Clock& clock_;
  LiveServer live_;
  Timestamp started_;
};

/// Asks the server that runs in `home`, or executes here under the home's lock where none runs. Throws Error
/// of the answer's code and sentence where it is not ok; unavailable or timeout where a server is there but
/// does not answer. Returns the answer's JSON text.
std::string administer(const ServerHome& home, std::string_view request);

}  // namespace fl::server
