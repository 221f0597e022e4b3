#pragma once

#include <filesystem>

#include <doctest/doctest.h>

#include "client/home/device_home.h"
#include "client/store/version_file.h"
#include "tests/e2e/federation.h"
#include "tests/unit/fleet/scripted_device.h"

namespace fl::test {

/// What a device's home says of the version of "motion" that serves there.
inline Manifest manifest_of(const std::filesystem::path& home) {
  const PublicKey key = client::DeviceHome::open(home).settings().signing_key;
  return client::read_version_file(home / "models" / "motion" / "champion.json", "motion", key)
      .value()
      .version.manifest;
}

/// A scripted device in the place of one that 'fl-client enroll' made; the round it asks for has been offered
/// once expect<wire::WorkOffer>() returns.
class Member : public ScriptedDevice {
 public:
  explicit Member(const std::filesystem::path& home)
      : ScriptedDevice(client::DeviceHome::open(home).identity(), client::DeviceHome::open(home).authority(),
                       {"motion", manifest_of(home).layout_hash}),
        weights_(manifest_of(home).weights_count) {}

  void join(std::uint16_t port) {
    connect(port);
    subscribe(1);
    expect<wire::Subscribed>();
    ask_for_work(1);
  }

  /// Awaits the offer of the round that it has asked for, which begins from the version of the same number,
  /// and sends an update that counts.
  void finish(std::uint64_t round) {
    expect<wire::WorkOffer>();
    Update update;
    update.round = update.version = round;
    update.delta.assign(weights_, 0.001F);
    CHECK(upload(update).outcome() == wire::Outcome::accepted);
  }

 private:
  std::uint64_t weights_;
};

}  // namespace fl::test
