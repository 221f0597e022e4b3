#include "tests/e2e/retrying_devices.h"

#include <algorithm>
#include <random>
#include <stdexcept>

#include "common/base/error.h"
#include "tests/e2e/members.h"

namespace fl::test {
namespace {

/// So small that an update is often cut off inside.
constexpr std::size_t chunk_bytes = 1000;
constexpr std::chrono::seconds patience{60};

}  // namespace

/// One of them: answers what the server says, in whatever order that comes.
class RetryingDevices::Device : public ScriptedDevice {
 public:
  Device(RetryingDevices& all, std::uint32_t number, const std::filesystem::path& home)
      : ScriptedDevice(client::DeviceHome::open(home).identity(), client::DeviceHome::open(home).authority(),
                       {"motion", manifest_of(home).layout_hash}),
        all_(all),
        number_(number) {}

  void live() {
    while (all_.wait_for_server()) {
      try {
        connect(all_.port_);
        subscribe(version_);
        for (;;) answer(receive());
      } catch (const Error&) {
        continue;  // the server has gone, and will be back
      }
    }
  }

 private:
  void answer(const wire::Message& message) {
    if (message.body_as_Subscribed() != nullptr) ask_for_work(version_);
    if (const wire::VersionNotice* notice = message.body_as_VersionNotice()) take(*notice);
    if (const wire::WorkOffer* offer = message.body_as_WorkOffer()) work_on(*offer);
    if (const wire::UpdateGo* go = message.body_as_UpdateGo()) send_from(go->offset());
    if (const wire::UpdateReply* reply = message.body_as_UpdateReply()) take(*reply);
  }

  void take(const wire::VersionNotice& notice) {
    if (notice.version() <= version_) all_.complain("an older version was pushed");
    version_ = notice.version();
    all_.noticed(number_, version_);
    ask_for_work(version_);
  }

  void work_on(const wire::WorkOffer& offer) {
    if (offer.version() != version_) all_.complain("work on another version than the newest was offered");
    if (!all_.takes_part_in(offer.round())) return;
    Sent sent = all_.update_of(number_, offer.round());
    update_.round = offer.round();
    update_.version = offer.version();
    update_.delta = std::move(sent.delta);
    update_.examples = sent.examples;
    announce(update_);
  }

  void send_from(std::uint64_t offset) {
    ByteView rest = fl::as_bytes(std::span<const float>(update_.delta)).subspan(offset);
    while (!rest.empty()) {
      const std::size_t count = std::min(chunk_bytes, rest.size());
      send_chunk(rest.first(count));
      rest = rest.subspan(count);
    }
  }

  void take(const wire::UpdateReply& reply) {
    if (reply.outcome() == wire::Outcome::accepted || reply.outcome() == wire::Outcome::already_accepted) {
      all_.was_acknowledged(number_, update_.round);
    } else if (reply.outcome() != wire::Outcome::round_closed) {
      all_.complain("an update was refused: " + std::string(wire::text_of(reply.sentence())));
    }
  }

  RetryingDevices& all_;
  std::uint32_t number_;
  std::uint64_t version_ = 1;
  Update update_;
};

RetryingDevices::RetryingDevices(const Federation& federation, std::uint32_t count)
    : port_(federation.port()),
      weights_(manifest_of(federation.device_home(0)).weights_count),
      versions_(count, 1),
      acknowledged_(count) {
  for (std::uint32_t device = 0; device < count; ++device) {
    devices_.push_back(std::make_unique<Device>(*this, device, federation.device_home(device)));
    ids_.push_back(devices_.back()->id());
  }
  for (const auto& device : devices_) threads_.emplace_back([&device] { device->live(); });
}

RetryingDevices::~RetryingDevices() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void RetryingDevices::server_is_up() {
  const std::lock_guard lock(mutex_);
  up_ = true;
  changed_.notify_all();
}

void RetryingDevices::server_goes_down() {
  const std::lock_guard lock(mutex_);
  up_ = false;
  changed_.notify_all();
}

void RetryingDevices::end_after(std::uint64_t round) {
  const std::lock_guard lock(mutex_);
  last_round_ = round;
  changed_.notify_all();
}

std::uint64_t RetryingDevices::end_after_this_round() {
  std::unique_lock lock(mutex_);
  wait_until([this] { return newest_round_ > 0; }, "no round begins", lock);
  last_round_ = newest_round_;
  return last_round_;
}

void RetryingDevices::wait_for_version(std::uint64_t version) {
  std::unique_lock lock(mutex_);
  const auto have_it = [&] {
    return std::ranges::all_of(versions_, [&](std::uint64_t held) { return held >= version; });
  };
  wait_until(have_it, "version " + std::to_string(version) + " does not come", lock);
}

void RetryingDevices::wait_until(const std::function<bool()>& condition, const std::string& otherwise,
                                 std::unique_lock<std::mutex>& lock) {
  if (!changed_.wait_for(lock, patience, condition)) throw std::runtime_error(otherwise);
}

RetryingDevices::Sent RetryingDevices::update_of(std::uint32_t device, std::uint64_t round) const {
  std::mt19937 random(static_cast<std::uint32_t>(round) * 64 + device);
  Sent sent;
  sent.examples = 10 + static_cast<std::uint32_t>(random() % 90);
  for (std::uint64_t i = 0; i < weights_; ++i) {
    sent.delta.push_back((static_cast<float>(random() % 200'001U) - 100'000.0F) * 1e-6F);
  }
  return sent;
}

std::set<std::uint64_t> RetryingDevices::acknowledged(std::uint32_t device) const {
  const std::lock_guard lock(mutex_);
  return acknowledged_.at(device);
}

std::vector<std::string> RetryingDevices::complaints() const {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

bool RetryingDevices::wait_for_server() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return up_ || over_; });
  return !over_;
}

bool RetryingDevices::takes_part_in(std::uint64_t round) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return round <= last_round_ || !up_ || over_; });
  if (round > last_round_) return false;
  newest_round_ = std::max(newest_round_, round);
  changed_.notify_all();
  return true;
}

void RetryingDevices::noticed(std::uint32_t device, std::uint64_t version) {
  const std::lock_guard lock(mutex_);
  versions_.at(device) = version;
  changed_.notify_all();
}

void RetryingDevices::was_acknowledged(std::uint32_t device, std::uint64_t round) {
  const std::lock_guard lock(mutex_);
  acknowledged_.at(device).insert(round);
}

void RetryingDevices::complain(const std::string& sentence) {
  const std::lock_guard lock(mutex_);
  complaints_.push_back(sentence);
}

}  // namespace fl::test
