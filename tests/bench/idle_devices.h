#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "tests/bench/echo_device.h"

namespace fl::bench {

/// Thousands of devices that are connected, subscribed and wait; on the thread that calls, which says on
/// stderr how far it is. Every call throws Error where a device fails, or is refused.
class IdleDevices {
 public:
  /// One of each identity; `fleet` outlives it.
  explicit IdleDevices(const EchoFleet& fleet);

  /// Connects all of them, a few at a time; returns the seconds from the first to the last that knows the
  /// newest version. Those that were connected before show their tickets.
  double connect(const std::string& what);
  void disconnect();

  /// The seconds from when the first of them heard of a version.
  struct Push {
    double heard = 0;    ///< Until all had.
    double fetched = 0;  ///< Until all had its weights, which they do not look at.
  };
  /// One of them makes a version, in a round of its own, and all of them fetch it.
  Push push_version();

 private:
  using Clock = std::chrono::steady_clock;
  using Awaitable = EchoDevice::Awaitable;

  Awaitable connect_some(std::size_t& next, const std::function<void()>& on_one);
  Awaitable take_version(EchoDevice& device, bool makes_it, const std::function<void()>& on_one);
  void heard_of(std::uint64_t version);
  /// Runs them side by side to their ends.
  void run(std::vector<Awaitable> all);

  boost::asio::io_context context_{1};
  std::vector<std::unique_ptr<EchoDevice>> devices_;
  std::uint64_t newest_ = 0;
  Clock::time_point first_heard_;
  Clock::time_point last_heard_;
};

}  // namespace fl::bench
