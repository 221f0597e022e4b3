#include "tests/bench/echo_devices.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

namespace fl::bench {

namespace asio = boost::asio;

namespace {

/// When what of each version first, or last, happened. Any thread.
class Diary {
 public:
  void heard_of(std::uint64_t version) {
    const std::lock_guard lock(mutex_);
    moments_[version].heard = std::min(moments_[version].heard, Clock::now());
  }
  void begins_to_send(std::uint64_t base) {
    const std::lock_guard lock(mutex_);
    moments_[base].first_sent = std::min(moments_[base].first_sent, Clock::now());
  }
  void is_acknowledged(std::uint64_t base) {
    const std::lock_guard lock(mutex_);
    moments_[base].last_acknowledged = Clock::now();
  }

  std::vector<EchoRound> rounds() const {
    std::vector<EchoRound> rounds;
    for (auto base = moments_.find(2); base != moments_.end() && std::next(base) != moments_.end(); ++base) {
      const Moments& began = base->second;
      rounds.push_back({seconds(began.heard, std::next(base)->second.heard),
                        seconds(began.first_sent, began.last_acknowledged)});
    }
    return rounds;
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Moments {
    Clock::time_point heard = Clock::time_point::max();
    Clock::time_point first_sent = Clock::time_point::max();
    Clock::time_point last_acknowledged;
  };

  static double seconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
  }

  std::mutex mutex_;
  std::map<std::uint64_t, Moments> moments_;  // by version
};

asio::awaitable<void> take_part(EchoDevice& device, Diary& diary, std::uint64_t last) {
  co_await device.connect();
  for (;;) {
    co_await device.fetch_weights();
    if (device.version() >= last) break;
    co_await device.take_offer();
    const std::uint64_t base = device.version();
    diary.begins_to_send(base);
    co_await device.send_update();
    diary.is_acknowledged(base);
    if (device.version() == base) co_await device.hear_of_version();
  }
}

}  // namespace

std::vector<EchoRound> run_echo_devices(const EchoFleet& fleet, std::uint64_t last) {
  Diary diary;
  asio::io_context context{2};
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<std::unique_ptr<EchoDevice>> devices;
  const auto heard = [&](std::uint64_t version) { diary.heard_of(version); };
  for (std::size_t i = 0; i < fleet.devices.size(); ++i) {
    devices.push_back(std::make_unique<EchoDevice>(fleet, i, heard));
    asio::co_spawn(
        asio::make_strand(context),
        [&diary, device = devices.back().get(), last] { return take_part(*device, diary, last); },
        [&](const std::exception_ptr& thrown) {
          const std::lock_guard lock(mutex);
          if (thrown && !failure) failure = thrown;
          if (thrown) context.stop();
        });
  }
  {
    const std::jthread other([&] { context.run(); });
    context.run();
  }
  if (failure) std::rethrow_exception(failure);
  return diary.rounds();
}

}  // namespace fl::bench
