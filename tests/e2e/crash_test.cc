#include <algorithm>
#include <cmath>
#include <cstring>

#include <doctest/doctest.h>

#include "server/ledger/blob_store.h"
#include "server/ledger/ledger.h"
#include "tests/e2e/doomed_server.h"
#include "tests/e2e/refusals.h"
#include "tests/e2e/retrying_devices.h"

using namespace fl;
using namespace fl::test;

namespace {

constexpr std::uint32_t device_count = 3;

void check_clean(const std::filesystem::path& home) {
  const Ended ended = run("fl-server", {"fsck", home.string()});
  CAPTURE(ended.output);
  CAPTURE(ended.errors);
  REQUIRE(ended.exit_code == 0);
}

/// Kills the server so many times while rounds run, and lets the last round finish. Returns the newest
/// version.
std::uint64_t run_with_kills(const std::filesystem::path& home, RetryingDevices& devices, int kills) {
  DoomedServer server(home);
  for (int kill = 0; kill < kills; ++kill) {
    CAPTURE(kill);
    server.start();
    devices.server_is_up();
    server.live_for_a_while();
    devices.server_goes_down();
    server.kill();
    check_clean(home);
  }
  server.start();
  devices.server_is_up();
  const std::uint64_t newest = devices.end_after_this_round() + 1;
  devices.wait_for_version(newest);
  devices.server_goes_down();
  server.stop();
  return newest;
}

/// The same rounds by a server that nothing happens to.
void run_undisturbed(const std::filesystem::path& home, RetryingDevices& devices, std::uint64_t newest) {
  DoomedServer server(home);
  devices.end_after(newest - 1);
  server.start();
  devices.server_is_up();
  // What the server logs is read meanwhile, as there is little room for it.
  server.process().wait_for_line("committed as version " + std::to_string(newest) + " ");
  devices.wait_for_version(newest);
  devices.server_goes_down();
  server.stop();
}

/// Every acknowledged update is in the one round that was told of it, which made one version.
void check_acknowledged(const server::Ledger& ledger, const RetryingDevices& devices, std::uint64_t newest) {
  std::vector<server::RoundRecord> rounds = ledger.rounds("motion");
  if (rounds.back().state == server::RoundState::open) rounds.pop_back();
  REQUIRE(rounds.size() == newest - 1);
  for (const server::RoundRecord& round : rounds) {
    CAPTURE(round.round);
    REQUIRE(round.state == server::RoundState::committed);
    CHECK(ledger.version("motion", round.round + 1)->round == round.round);
    CHECK(ledger.participants("motion", round.round).size() == device_count);
  }
  for (std::uint32_t device = 0; device < device_count; ++device) {
    for (const std::uint64_t round : devices.acknowledged(device)) {
      CAPTURE(round);
      const std::vector<float> delta = devices.update_of(device, round).delta;
      const auto participants = ledger.participants("motion", round);
      const auto is_it = [&](const auto& one) { return one.device == devices.id(device); };
      const auto found = std::find_if(participants.begin(), participants.end(), is_it);
      REQUIRE(found != participants.end());
      CHECK(found->state == server::ParticipantState::accepted);
      CHECK(found->update_hash == sha256(as_bytes(std::span<const float>(delta))));
    }
  }
}

std::vector<float> weights_of(const std::filesystem::path& home, const server::VersionRecord& version) {
  const Bytes bytes = server::BlobStore(home / "blobs").get(version.weights_hash);
  std::vector<float> weights(bytes.size() / sizeof(float));
  std::memcpy(weights.data(), bytes.data(), bytes.size());
  return weights;
}

/// Every version moves from the one before by the mean of all updates of its round, each counted once:
/// written down anew here, and so only as exact as doubles are.
void check_means(const std::filesystem::path& home, const server::Ledger& ledger,
                 const RetryingDevices& devices) {
  std::vector<float> before;
  for (const server::VersionRecord& version : ledger.versions("motion")) {
    const std::vector<float> after = weights_of(home, version);
    double furthest = 0.0;
    double examples = 0.0;
    std::vector<double> sum(after.size());
    for (std::uint32_t device = 0; version.round > 0 && device < device_count; ++device) {
      const RetryingDevices::Sent sent = devices.update_of(device, version.round);
      examples += sent.examples;
      for (std::size_t i = 0; i < sum.size(); ++i)
        sum[i] += static_cast<double>(sent.delta[i]) * sent.examples;
    }
    for (std::size_t i = 0; version.round > 0 && i < sum.size(); ++i) {
      const double moved = static_cast<double>(after[i]) - static_cast<double>(before[i]);
      furthest = std::max(furthest, std::abs(moved - sum[i] / examples));
    }
    CAPTURE(version.version);
    CHECK(furthest < 1e-6);
    before = after;
  }
}

}  // namespace

TEST_CASE("a server killed at any instant loses no acknowledged update and makes the same versions (I3 I4)") {
  Federation::Settings settings;
  settings.devices = device_count;
  settings.rounds = 0;
  Federation federation(settings);
  federation.start_server();
  for (std::uint32_t device = 0; device < device_count; ++device) federation.enrol_with(device, {});
  CHECK(federation.stop_server().exit_code == 0);
  const std::filesystem::path killed = federation.server_home();
  const std::filesystem::path undisturbed = federation.folder() / "undisturbed";
  std::filesystem::copy(killed, undisturbed, std::filesystem::copy_options::recursive);

  RetryingDevices devices(federation, device_count);
  const std::uint64_t newest = run_with_kills(killed, devices, kills_wanted());
  RetryingDevices others(federation, device_count);
  run_undisturbed(undisturbed, others, newest);
  MESSAGE(kills_wanted() << " kills in " << newest - 1 << " rounds");

  CHECK(devices.complaints().empty());
  CHECK(others.complaints().empty());
  check_clean(killed);
  const server::Ledger ledger(killed / "ledger.db");
  const server::Ledger oracle(undisturbed / "ledger.db");
  check_acknowledged(ledger, devices, newest);
  check_means(killed, ledger, devices);
  for (std::uint64_t version = 1; version <= newest; ++version) {
    CAPTURE(version);
    CHECK(ledger.version("motion", version)->weights_hash == oracle.version("motion", version)->weights_hash);
  }
}
