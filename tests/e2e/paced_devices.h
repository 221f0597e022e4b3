#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/e2e/federation.h"

namespace fl::test {

/// Scripted devices in the places of a federation's enrolled ones, each on a thread of its own, of an
/// asynchronous task: they ask for work, send an update that follows from the device and the round that
/// offered it, ask again, and come back however often the server goes away. One thread owns them.
class PacedDevices {
 public:
  /// A device's place among them, and the round that offered the work.
  using Work = std::pair<std::uint32_t, std::uint64_t>;

  /// They begin once server_is_up().
  PacedDevices(const Federation& federation, std::uint32_t count);
  PacedDevices(const PacedDevices&) = delete;
  PacedDevices& operator=(const PacedDevices&) = delete;
  ~PacedDevices();

  void server_is_up();
  /// To be said before it is brought down: devices wait for the next server_is_up() then.
  void server_goes_down();
  /// They come back no more once the server has gone.
  void end();

  /// Which device this is. Throws std::out_of_range.
  std::uint32_t number_of(const std::string& id) const;
  std::vector<float> delta_of(const Work& work) const;
  /// The work of which they were told that its update counts.
  std::set<Work> acknowledged() const;
  /// What the server said to them that it must not.
  std::vector<std::string> complaints() const;

 private:
  class Device;

  void was_acknowledged(const Work& work);
  void complain(const std::string& sentence);

  std::uint16_t port_;
  std::uint64_t weights_;
  std::atomic<bool> up_ = false;
  std::atomic<bool> over_ = false;
  mutable std::mutex mutex_;  // guards the next two
  std::set<Work> acknowledged_;
  std::vector<std::string> complaints_;
  std::list<Device> devices_;
  std::vector<std::jthread> threads_;
};

}  // namespace fl::test
