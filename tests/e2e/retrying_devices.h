#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/federation.h"

namespace fl::test {

/// Scripted devices in the places of a federation's enrolled ones, each on a thread of its own: they take
/// part in every round with an update that follows from the device and the round alone, and come back until
/// the server has acknowledged it, however often that goes away. One thread owns them.
class RetryingDevices {
 public:
  /// What a device sends in a round.
  struct Sent {
    std::vector<float> delta;
    std::uint32_t examples = 0;
  };

  /// Devices that begin once server_is_up(); all of them must be in a round for it to be made.
  explicit RetryingDevices(const Federation& federation, std::uint32_t count);
  RetryingDevices(const RetryingDevices&) = delete;
  RetryingDevices& operator=(const RetryingDevices&) = delete;
  /// Waits until they have ended, which they do when the server has.
  ~RetryingDevices();

  void server_is_up();
  /// To be said before it is brought down: devices wait for the next server_is_up() then.
  void server_goes_down();

  /// They take part in no round after this one until a later one is named.
  void end_after(std::uint64_t round);
  /// The same after the newest round that any of them was offered, which there must be one of soon; returns
  /// it.
  std::uint64_t end_after_this_round();
  /// Returns once the version is pushed to all of them. Both throw std::runtime_error where it takes too
  /// long.
  void wait_for_version(std::uint64_t version);

  /// Ids in the order of the federation's devices.
  const std::string& id(std::uint32_t device) const { return ids_.at(device); }
  Sent update_of(std::uint32_t device, std::uint64_t round) const;
  /// The rounds in which the device's update was acknowledged.
  std::set<std::uint64_t> acknowledged(std::uint32_t device) const;
  /// What the server said to them that it must not.
  std::vector<std::string> complaints() const;

 private:
  class Device;

  void wait_until(const std::function<bool()>& condition, const std::string& otherwise,
                  std::unique_lock<std::mutex>& lock);
  bool wait_for_server();
  /// Waits for the round to be one in which they do; false where the server goes before.
  bool takes_part_in(std::uint64_t round);
  void noticed(std::uint32_t device, std::uint64_t version);
  void was_acknowledged(std::uint32_t device, std::uint64_t round);
  void complain(const std::string& sentence);

  std::uint16_t port_;
  std::uint64_t weights_ = 0;
  std::vector<std::string> ids_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool up_ = false;
  bool over_ = false;
  std::uint64_t newest_round_ = 0;
  std::uint64_t last_round_ = std::numeric_limits<std::uint64_t>::max();
  std::vector<std::uint64_t> versions_;
  std::vector<std::set<std::uint64_t>> acknowledged_;
  std::vector<std::string> complaints_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<std::thread> threads_;
};

}  // namespace fl::test
