#include "tests/bench/idle_devices.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>

#include "common/program/progress.h"

namespace fl::bench {

namespace asio = boost::asio;

namespace {

// Enough to keep both sides busy, and few enough to be within what a server lets an address do.
constexpr std::size_t connecting_at_a_time = 64;

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

IdleDevices::IdleDevices(const EchoFleet& fleet) {
  const auto heard = [this](std::uint64_t version) { heard_of(version); };
  for (std::size_t i = 0; i < fleet.devices.size(); ++i) {
    devices_.push_back(std::make_unique<EchoDevice>(fleet, i, heard));
  }
}

double IdleDevices::connect(const std::string& what) {
  program::Progress progress("  " + what);
  std::size_t next = 0;
  std::size_t done = 0;
  const std::function<void()> on_one = [&] {
    progress.update(static_cast<double>(++done), static_cast<double>(devices_.size()));
  };
  const auto begun = Clock::now();
  std::vector<Awaitable> lanes;
  for (std::size_t i = 0; i < connecting_at_a_time; ++i) lanes.push_back(connect_some(next, on_one));
  run(std::move(lanes));
  return seconds(Clock::now() - begun);
}

IdleDevices::Awaitable IdleDevices::connect_some(std::size_t& next, const std::function<void()>& on_one) {
  while (next < devices_.size()) {
    EchoDevice& device = *devices_[next++];
    co_await device.connect();
    on_one();
  }
}

void IdleDevices::disconnect() {
  for (const auto& device : devices_) device->disconnect();
}

void IdleDevices::heard_of(std::uint64_t version) {
  last_heard_ = Clock::now();
  if (version > newest_) first_heard_ = last_heard_;
  newest_ = std::max(newest_, version);
}

IdleDevices::Push IdleDevices::push_version() {
  program::Progress progress("  pushing a version");
  std::size_t done = 0;
  const std::function<void()> on_one = [&] {
    progress.update(static_cast<double>(++done), static_cast<double>(devices_.size()));
  };
  std::vector<Awaitable> all;
  for (const auto& device : devices_) {
    all.push_back(take_version(*device, device == devices_.front(), on_one));
  }
  run(std::move(all));
  return {seconds(last_heard_ - first_heard_), seconds(Clock::now() - first_heard_)};
}

IdleDevices::Awaitable IdleDevices::take_version(EchoDevice& device, bool makes_it,
                                                 const std::function<void()>& on_one) {
  co_await device.keep_alive();  // it may have been silent for long
  const std::uint64_t known = device.version();
  if (makes_it) {
    co_await device.take_offer();
    co_await device.send_update();
  }
  if (device.version() == known) co_await device.hear_of_version();
  co_await device.pass_weights_over();
  on_one();
}

void IdleDevices::run(std::vector<Awaitable> all) {
  std::exception_ptr failure;
  for (Awaitable& one : all) {
    asio::co_spawn(context_, std::move(one), [&](const std::exception_ptr& thrown) {
      if (thrown && !failure) failure = thrown;
      if (thrown) context_.stop();
    });
  }
  context_.restart();
  context_.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace fl::bench
