#include <limits>

#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

#include "server/ledger/ledger.h"
#include "tests/e2e/members.h"
#include "tests/e2e/refusals.h"
#include "tests/e2e/retrying_devices.h"

using namespace fl;
using namespace fl::test;

namespace {

namespace fs = std::filesystem;

void check_without_finding(const fs::path& home) {
  const boost::json::value report = json_of("fl-server", {"fsck", home.string()});
  CAPTURE(boost::json::serialize(report));
  CHECK(report.at("clean") == true);
  CHECK(report.at("findings").as_array().empty());
}

/// The backup has the versions that its home had at some moment, and what the open round had acknowledged
/// then.
void check_is_earlier(const fs::path& backup, const fs::path& home) {
  const server::Ledger before = server::Ledger::snapshot(backup / "ledger.db");
  const server::Ledger after = server::Ledger::snapshot(home / "ledger.db");
  for (const server::VersionRecord& version : before.versions("motion")) {
    CAPTURE(version.version);
    CHECK(after.version("motion", version.version)->manifest.hash() == version.manifest.hash());
  }
  const std::optional<server::RoundRecord> open = before.open_round("motion");
  if (!open) return;
  for (const server::ParticipantRecord& device : before.participants("motion", open->round)) {
    if (device.state != server::ParticipantState::accepted) continue;
    CHECK(fs::exists(backup / "spool" / "motion" / std::to_string(open->round) /
                     (device.device + "-" + device.update_hash.hex())));
  }
}

void enrol_all(Federation& federation, std::uint32_t devices) {
  federation.start_server();
  for (std::uint32_t device = 0; device < devices; ++device) federation.enrol_with(device, {});
}

}  // namespace

TEST_CASE("backups made while rounds run are whole and a server restored from one goes on (I3 I6)") {
  Federation::Settings settings;
  settings.rounds = 0;
  Federation federation(settings);
  enrol_all(federation, settings.devices);
  const fs::path home = federation.server_home();
  RetryingDevices devices(federation, settings.devices);
  devices.end_after(0);
  devices.server_is_up();
  for (std::uint64_t last = 4; last <= 16; last += 4) {
    const std::string target = (federation.folder() / ("backup-" + std::to_string(last))).string();
    devices.end_after(last);
    CHECK(contains(output_of("fl-server", {"backup", home.string(), target}), "checked the copy"));
    federation.wait_for_version(last + 1);
    devices.wait_for_version(last + 1);
    check_without_finding(target);
  }
  devices.server_goes_down();
  CHECK(federation.stop_server().exit_code == 0);
  for (const char* const name : {"backup-4", "backup-8", "backup-12", "backup-16"})
    check_is_earlier(federation.folder() / name, home);

  // The devices have version 17, and accept none that is older.
  const fs::path lost = federation.folder() / "lost";
  fs::rename(home, lost);
  output_of("fl-server", {"restore", (federation.folder() / "backup-8").string(), home.string()});
  check_without_finding(home);
  output_of("fl-server", {"republish", home.string(), "motion", "--above", "17"});
  check_without_finding(home);
  devices.end_after(std::numeric_limits<std::uint64_t>::max());
  federation.start_server();
  devices.server_is_up();
  devices.wait_for_version(20);
  devices.server_goes_down();
  CHECK(federation.stop_server().exit_code == 0);
  CHECK(devices.complaints().empty());
  check_without_finding(home);
}

TEST_CASE(
    "a killed server restored from a backup takes the open round up with the acknowledged update (I3)") {
  Federation::Settings settings;
  settings.rounds = 1;
  Federation federation(settings);
  enrol_all(federation, settings.devices);
  Member first(federation.device_home(0));
  Member second(federation.device_home(1));
  first.join(federation.port());
  second.join(federation.port());
  first.finish(1);
  const std::string home = federation.server_home().string();
  const std::string backup = (federation.folder() / "backup").string();
  output_of("fl-server", {"backup", home, backup});
  federation.kill_server();
  check_refused("fl-server", {"restore", backup, home}, {home, "is there already"});
  fs::remove_all(home);
  output_of("fl-server", {"restore", backup, home});
  federation.start_server();
  second.join(federation.port());
  second.finish(1);
  federation.wait_for_version(2);
  CHECK(federation.rounds().at(0).at("accepted") == 2);
}
