#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client/agent/parts.h"

namespace fl::client {

/// Keeps a device in its federation: connects, and again with backoff whenever the connection is lost;
/// receives versions, trains, reports. Runs on a thread of its own, with two more for training and for trying
/// versions.
///
/// Any thread may call, but start() and stop() not from a listener.
class Agent {
 public:
  /// `trains` says whether it takes part in rounds or only receives versions.
  Agent(AgentParts parts, bool trains);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  /// Stops it.
  ~Agent();

  /// Nothing if it runs.
  void start();
  /// Within a second or so, as long as a batch of training takes less; training under way is lost, a finished
  /// update is reported the next time. Nothing if it does not run.
  void stop();
  bool runs() const;
  /// Says that there may be something new to do: examples.
  void wake();

 private:
  struct Run;
  AgentParts parts_;
  bool trains_;
  mutable std::mutex mutex_;  // guards run_
  std::unique_ptr<Run> run_;
};

/// Connects once, adopts the newest version of every task, and disconnects. Blocks; listeners are called on
/// this thread. Returns why versions were not adopted, each a sentence. Throws Error: unavailable, timeout,
/// unauthenticated, protocol; as the system fails.
std::vector<std::string> fetch_newest(const AgentParts& parts);

}  // namespace fl::client
