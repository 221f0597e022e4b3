#pragma once

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "tests/e2e/process.h"

namespace fl::test {

/// How often the tests of crashes kill the server.
inline int kills_wanted() {
  const char* const wanted = std::getenv("FL_SERVER_KILLS");
  return wanted == nullptr ? 20 : std::atoi(wanted);
}

/// A server that is brought down at instants that nobody chose.
class DoomedServer {
 public:
  explicit DoomedServer(std::filesystem::path home) : home_(std::move(home)) {}

  void start() {
    process_ = std::make_unique<Process>("fl-server", std::vector<std::string>{"run", home_.string()});
    process_->wait_for_line("listening on");
  }

  /// At any instant of about two rounds; every other time shortly after a step of a round, as those in which
  /// something is written are short.
  void live_for_a_while() {
    static constexpr std::array<const char*, 3> steps{"update accepted", "aggregating",
                                                      "committed as version"};
    if (std::exchange(soon_, !soon_)) {
      process_->wait_for_line(steps.at(random_() % steps.size()));
      pass(std::chrono::microseconds(random_() % 10'000));
    } else {
      pass(std::chrono::microseconds(random_() % 200'000));
    }
  }

  void kill() { process_->kill(); }

  void stop() {
    process_->signal(SIGTERM);
    CHECK(process_->wait().exit_code == 0);
  }

  Process& process() { return *process_; }

 private:
  /// This waits for nothing: it is the instant that is drawn.
  static void pass(std::chrono::microseconds time) { std::this_thread::sleep_for(time); }

  std::filesystem::path home_;
  std::unique_ptr<Process> process_;
  std::mt19937 random_{std::random_device()()};
  bool soon_ = false;
};

}  // namespace fl::test
