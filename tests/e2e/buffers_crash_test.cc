#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include <doctest/doctest.h>

#include "server/ledger/blob_store.h"
#include "server/ledger/ledger.h"
#include "tests/e2e/doomed_server.h"
#include "tests/e2e/paced_devices.h"

using namespace fl;
using namespace fl::test;

namespace {

constexpr std::uint32_t device_count = 4;
constexpr std::uint32_t buffer = 2;

/// Kills the server so many times while devices make versions, and ends with one that nothing happens to.
void run_with_kills(const std::filesystem::path& home, PacedDevices& devices, int kills) {
  DoomedServer server(home);
  for (int kill = 0; kill < kills; ++kill) {
    server.start();
    devices.server_is_up();
    server.live_for_a_while();
    devices.server_goes_down();
    server.kill();
  }
  server.start();
  devices.server_is_up();
  for (int version = 0; version < 5; ++version) server.process().wait_for_line("committed as version");
  devices.end();
  server.stop();
}

std::vector<float> weights_of(const std::filesystem::path& home, const server::VersionRecord& version) {
  const Bytes bytes = server::BlobStore(home / "blobs").get(version.weights_hash);
  std::vector<float> weights(bytes.size() / sizeof(float));
  std::memcpy(weights.data(), bytes.data(), bytes.size());
  return weights;
}

/// Of every round, the work whose updates it has accepted, with what is known of them. None is there twice,
/// and none of a device that sent something else.
std::map<std::uint64_t, std::vector<server::ParticipantRecord>> accepted_updates(
    const server::Ledger& ledger, const PacedDevices& devices) {
  std::map<std::uint64_t, std::vector<server::ParticipantRecord>> accepted;
  std::set<PacedDevices::Work> seen;
  for (const server::RoundRecord& round : ledger.rounds("motion")) {
    CAPTURE(round.round);
    CHECK(round.state != server::RoundState::abandoned);
    for (const server::ParticipantRecord& device : ledger.participants("motion", round.round)) {
      if (device.state != server::ParticipantState::accepted) continue;
      const PacedDevices::Work work{devices.number_of(device.device), device.offered};
      const std::vector<float> delta = devices.delta_of(work);
      CHECK(device.update_hash == sha256(as_bytes(std::span<const float>(delta))));
      CHECK(device.staleness == round.round - device.offered);
      CHECK(seen.insert(work).second);
      accepted[round.round].push_back(device);
    }
  }
  for (const PacedDevices::Work& work : devices.acknowledged()) CHECK(seen.contains(work));
  return accepted;
}

/// How far a version is, at most, from the one before and its round's updates as the paper adds them up.
double furthest(const std::vector<float>& before, const std::vector<float>& after,
                const std::vector<server::ParticipantRecord>& updates, const PacedDevices& devices) {
  std::vector<double> moved(after.size());
  for (const server::ParticipantRecord& update : updates) {
    const std::vector<float> delta = devices.delta_of({devices.number_of(update.device), update.offered});
    const double scale = 1.0 / std::sqrt(1.0 + static_cast<double>(update.staleness)) / buffer;
    for (std::size_t i = 0; i < delta.size(); ++i) moved[i] += scale * static_cast<double>(delta[i]);
  }
  double furthest = 0.0;
  for (std::size_t i = 0; i < moved.size(); ++i) {
    const double expected = static_cast<double>(before[i]) + moved[i];
    furthest = std::max(furthest, std::abs(static_cast<double>(after[i]) - expected));
  }
  return furthest;
}

}  // namespace

TEST_CASE(
    "a server killed at any instant while devices work at their own pace counts each update once (I3)") {
  Federation::Settings settings;
  settings.devices = device_count;
  settings.goal = buffer;
  settings.rounds = 0;
  settings.more = "strategy = fedbuff\nserver-max-staleness = 1000\n";
  Federation federation(settings);
  federation.start_server();
  for (std::uint32_t device = 0; device < device_count; ++device) federation.enrol_with(device, {});
  CHECK(federation.stop_server().exit_code == 0);
  const std::filesystem::path home = federation.server_home();
  PacedDevices devices(federation, device_count);
  run_with_kills(home, devices, kills_wanted());
  CHECK(devices.complaints().empty());
  CHECK(run("fl-server", {"fsck", home.string()}).exit_code == 0);

  const server::Ledger ledger(home / "ledger.db");
  const auto accepted = accepted_updates(ledger, devices);
  std::vector<float> before;
  std::uint64_t behind = 0;
  for (const server::VersionRecord& version : ledger.versions("motion")) {
    CAPTURE(version.version);
    const std::vector<float> after = weights_of(home, version);
    if (version.round > 0) {
      const std::vector<server::ParticipantRecord>& updates = accepted.at(version.round);
      CHECK(updates.size() == buffer);
      CHECK(furthest(before, after, updates, devices) < 1e-6);
      for (const server::ParticipantRecord& update : updates) behind += update.staleness;
    }
    before = after;
  }
  CHECK(behind > 0);
  MESSAGE(kills_wanted() << " kills in " << accepted.size() << " buffers, " << behind
                         << " versions behind in all");
}
