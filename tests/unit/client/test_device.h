#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client/agent/agent.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/client/examples.h"
#include "tests/unit/client/federation.h"
#include "tests/unit/client/linear_engine.h"

namespace fl::test {

/// Remembers events and waits for them. Any thread.
class EventLog {
 public:
  void add(const AgentEvent& event);
  /// Waits for the `count`-th event of this kind and gives its sentence; throws after 20 seconds, naming what
  /// came instead.
  std::string wait_for(AgentEvent::Kind kind, std::size_t count = 1);
  std::size_t count(AgentEvent::Kind kind) const;

 private:
  std::vector<std::string> of(AgentEvent::Kind kind) const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<AgentEvent> events_;
};

/// A device's stores and agent over a linear engine, in a folder of its own, that tries again at once.
class TestDevice {
 public:
  TestDevice(const Federation& federation, const net::Endpoint& server,
             std::chrono::hours certificate_lifetime = std::chrono::hours(24));

  /// Adds `count` examples, the first input counting up, whose class is the input's remainder by 3.
  void add_examples(int count);
  /// The version that serves; 0: none.
  std::uint64_t serving(const std::string& task = "har");
  client::AgentParts parts();

  TemporaryFolder folder;
  client::DeviceHome home;
  client::ModelStores models;
  client::ExampleStore examples;
  SystemClock clock;
  std::shared_ptr<LinearEngine> engine = std::make_shared<LinearEngine>();
  EventLog events;
};

}  // namespace fl::test
