#include "tests/e2e/paced_devices.h"

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <stdexcept>

#include "common/base/error.h"
#include "tests/e2e/members.h"

namespace fl::test {

/// One of them: answers what the server says, in whatever order that comes.
class PacedDevices::Device : public ScriptedDevice {
 public:
  Device(PacedDevices& all, std::uint32_t number, const std::filesystem::path& home)
      : ScriptedDevice(client::DeviceHome::open(home).identity(), client::DeviceHome::open(home).authority(),
                       {"motion", manifest_of(home).layout_hash}),
        all_(all),
        number_(number) {}

  void live() {
    for (;;) {
      all_.up_.wait(false);
      if (all_.over_) return;
      try {
        connect(all_.port_);
        subscribed_ = false;
        subscribe(version_);
        for (;;) answer(receive());
      } catch (const Error&) {
        continue;  // the server has gone, and will be back
      }
    }
  }

 private:
  void answer(const wire::Message& message) {
    if (const wire::VersionNotice* notice = message.body_as_VersionNotice()) version_ = notice->version();
    if (message.body_as_VersionNotice() != nullptr || message.body_as_Subscribed() != nullptr) begin();
    if (const wire::WorkOffer* offer = message.body_as_WorkOffer()) work_on(*offer);
    if (const wire::UpdateGo* go = message.body_as_UpdateGo()) {
      const ByteView rest = fl::as_bytes(std::span<const float>(update_->delta)).subspan(go->offset());
      if (!rest.empty()) send_chunk(rest);
    }
    if (const wire::UpdateReply* reply = message.body_as_UpdateReply()) take(*reply);
  }

  void begin() {
    if (subscribed_) return;
    subscribed_ = true;
    if (update_) {
      announce(*update_);
    } else {
      ask_for_work(version_);
    }
  }

  void work_on(const wire::WorkOffer& offer) {
    update_.emplace();
    update_->round = offer.round();
    update_->version = offer.version();
    update_->delta = all_.delta_of({number_, offer.round()});
    announce(*update_);
  }

  void take(const wire::UpdateReply& reply) {
    if (reply.outcome() == wire::Outcome::server_failure) return announce(*update_);  // as devices do
    // Work that is no more to be done was acknowledged to a connection that had gone.
    constexpr std::array good{wire::Outcome::accepted, wire::Outcome::already_accepted,
                              wire::Outcome::not_selected};
    if (std::find(good.begin(), good.end(), reply.outcome()) != good.end()) {
      all_.was_acknowledged({number_, update_->round});
    } else {
      all_.complain("an update was refused: " + std::string(wire::text_of(reply.sentence())));
    }
    update_.reset();
    ask_for_work(version_);
  }

  PacedDevices& all_;
  std::uint32_t number_;
  std::uint64_t version_ = 1;
  bool subscribed_ = false;
  std::optional<Update> update_;
};

PacedDevices::PacedDevices(const Federation& federation, std::uint32_t count)
    : port_(federation.port()), weights_(manifest_of(federation.device_home(0)).weights_count) {
  for (std::uint32_t device = 0; device < count; ++device) {
    devices_.emplace_back(*this, device, federation.device_home(device));
  }
  for (Device& device : devices_) threads_.emplace_back([&device] { device.live(); });
}

PacedDevices::~PacedDevices() {
  end();
}

void PacedDevices::server_is_up() {
  up_ = true;
  up_.notify_all();
}

void PacedDevices::server_goes_down() {
  up_ = false;
}

void PacedDevices::end() {
  over_ = true;
  server_is_up();
}

std::uint32_t PacedDevices::number_of(const std::string& id) const {
  std::uint32_t number = 0;
  for (const Device& device : devices_) {
    if (device.id() == id) return number;
    ++number;
  }
  throw std::out_of_range("there is no device " + id);
}

std::vector<float> PacedDevices::delta_of(const Work& work) const {
  std::mt19937 random(static_cast<std::uint32_t>(work.second) * 64 + work.first);
  std::vector<float> delta(weights_);
  for (float& each : delta) each = (static_cast<float>(random() % 200'001U) - 100'000.0F) * 1e-6F;
  return delta;
}

std::set<PacedDevices::Work> PacedDevices::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

std::vector<std::string> PacedDevices::complaints() const {
  const std::lock_guard lock(mutex_);
  return complaints_;
}

void PacedDevices::was_acknowledged(const Work& work) {
  const std::lock_guard lock(mutex_);
  acknowledged_.insert(work);
}

void PacedDevices::complain(const std::string& sentence) {
  const std::lock_guard lock(mutex_);
  complaints_.push_back(sentence);
}

}  // namespace fl::test
