#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "common/model/plan.h"
#include "common/net/certificates.h"
#include "tests/bench/echo_devices.h"
#include "tests/e2e/process.h"
#include "tests/support/temporary_folder.h"

namespace fl::bench {

/// A real fl-server, a process of its own on loopback, with one task of so many parameters and devices that
/// are enrolled already; and how much memory it takes.
class MeasuredServer {
 public:
  /// The plan's goal is the number of devices.
  MeasuredServer(std::uint64_t parameters, const RoundPlan& plan);
  MeasuredServer(const MeasuredServer&) = delete;
  MeasuredServer& operator=(const MeasuredServer&) = delete;
  ~MeasuredServer();

  const EchoFleet& fleet() const { return fleet_; }
  /// The most anonymous memory it had since it was started, above what it had then.
  std::uint64_t peak_bytes_over_idle() const { return peak_ - idle_; }

 private:
  EchoFleet make_home(std::uint64_t parameters, const RoundPlan& plan);
  void wait_until_it_listens() const;
  std::uint64_t anonymous_bytes() const;

  test::TemporaryFolder folder_;
  EchoFleet fleet_;
  test::Process process_;
  std::uint64_t idle_ = 0;
  std::atomic<std::uint64_t> peak_ = 0;
  std::jthread watcher_;
};

}  // namespace fl::bench
