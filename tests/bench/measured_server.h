#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "common/model/plan.h"
#include "common/net/certificates.h"
#include "tests/bench/echo_device.h"
#include "tests/e2e/process.h"
#include "tests/support/temporary_folder.h"

namespace fl::bench {

/// A real fl-server, a process of its own on loopback, with one task of so many parameters and devices that
/// are enrolled already; and how much memory it takes.
class MeasuredServer {
 public:
  MeasuredServer(std::uint64_t parameters, const RoundPlan& plan, std::uint32_t devices);
  MeasuredServer(const MeasuredServer&) = delete;
  MeasuredServer& operator=(const MeasuredServer&) = delete;
  ~MeasuredServer();

  const EchoFleet& fleet() const { return fleet_; }
  /// The anonymous memory that it has now, or the most that it has had, above what it had when it was
  /// started.
  std::uint64_t bytes_over_idle() const { return std::max(anonymous_bytes(), idle_) - idle_; }
  std::uint64_t peak_bytes_over_idle() const { return peak_ - idle_; }

 private:
  EchoFleet make_home(std::uint64_t parameters, const RoundPlan& plan, std::uint32_t devices);
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
