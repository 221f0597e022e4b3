// SCAFFOLD, whose devices keep something of their own from round to round.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "client/store/control_store.h"
#include "server/ledger/blob_store.h"
#include "server/ledger/ledger.h"
#include "tests/e2e/members.h"

using namespace fl;
using namespace fl::test;

namespace {

/// The server's control variate as it goes with the newest version.
Weights server_control(const Federation& federation) {
  const server::Ledger ledger = server::Ledger::snapshot(federation.server_home() / "ledger.db");
  const Bytes bytes = server::BlobStore(federation.server_home() / "blobs")
                          .get(ledger.latest_version("motion").state_hash.value());
  return weights_from(bytes, bytes.size() / sizeof(float));
}

Weights device_control(const Federation& federation, std::uint32_t device, std::size_t elements) {
  const std::filesystem::path home = federation.device_home(device);
  return client::ControlStore(home / "models" / "motion", manifest_of(home).layout_hash).read(elements);
}

}  // namespace

TEST_CASE("the server's control variate is the mean of its devices' whatever is killed in between (I3)") {
  Federation::Settings settings;
  settings.devices = 3;
  settings.rounds = 6;
  settings.more = "strategy = scaffold\nserver-population = 3\nserver-max-control = 1000\n";
  Federation federation(settings);
  federation.start_server();
  federation.start_devices();
  federation.wait_for_version(3);
  federation.kill_device(1);
  federation.kill_server();
  federation.start_server();
  federation.start_device(1);
  federation.wait_for_version(7);
  for (std::uint32_t device = 0; device < 3; ++device) {
    federation.device(device).wait_for_line("version 7 of motion serves now");
    federation.kill_device(device);
  }
  CHECK(federation.stop_server().exit_code == 0);
  CHECK(run("fl-server", {"fsck", federation.server_home().string()}).exit_code == 0);

  const Weights server = server_control(federation);
  Weights mean(server.size(), 0.0F);
  float largest = 0.0F;
  for (std::uint32_t device = 0; device < 3; ++device) {
    const Weights own = device_control(federation, device, server.size());
    for (std::size_t i = 0; i < own.size(); ++i) {
      mean[i] += own[i] / 3.0F;
      largest = std::max(largest, std::abs(own[i]));
    }
  }
  CHECK(largest > 0.0F);
  float furthest = 0.0F;
  for (std::size_t i = 0; i < mean.size(); ++i) furthest = std::max(furthest, std::abs(mean[i] - server[i]));
  CHECK(furthest < 1e-4F * largest);
}
