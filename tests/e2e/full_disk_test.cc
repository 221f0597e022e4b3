#include <doctest/doctest.h>

#include "tests/e2e/federation.h"
#include "tests/e2e/refusals.h"
#include "tests/e2e/small_disk.h"

using namespace fl::test;

namespace {

constexpr std::uint64_t megabytes = 1 << 20U;

bool left_out(const SmallDisk& disk) {
  if (!disk.mounted()) MESSAGE("skipped: a small disk cannot be mounted here (it takes root)");
  return !disk.mounted();
}

}  // namespace

TEST_CASE("a server whose disk is full in a round says so and stays up and completes the round later (I3)") {
  const TemporaryFolder folder;
  SmallDisk disk(folder / "disk", 16 * megabytes);
  if (left_out(disk)) return;
  Federation::Settings settings;
  settings.rounds = 2;
  settings.server_home = disk.path() / "server";
  Federation federation(settings);
  federation.start_server();
  for (const std::uint32_t device : {0U, 1U}) federation.enrol(device);
  federation.hold_back(1);
  federation.start_device(0);
  federation.server().wait_for_line("update accepted");
  disk.fill();
  federation.let_go(1);
  const std::string complaint = federation.server().wait_for_line(" error ");
  CAPTURE(complaint);
  CHECK((contains(complaint, "No space left on device") || contains(complaint, "full")));
  CHECK(json_of("fl-server", {"status", federation.server_home().string()}).at("running") == true);
  disk.free();
  federation.wait_for_version(3);
  const boost::json::array rounds = federation.rounds();
  REQUIRE(rounds.size() == 2);
  CHECK(rounds[0].at("accepted") == 2);
  CHECK(rounds[1].at("accepted") == 2);
  CHECK(federation.stop_server().exit_code == 0);
}

TEST_CASE("importing to a full disk is one clear error and keeps what was there (I9)") {
  const TemporaryFolder folder;
  SmallDisk disk(folder / "disk", 16 * megabytes);
  if (left_out(disk)) return;
  Federation federation({});
  federation.start_server();
  const std::string home = (disk.path() / "device").string();
  output_of("fl-client", {"enroll", home, "--token", federation.token()});
  const std::vector<std::string> files = federation.files_of(0);
  output_of("fl-client", {"import", home, files[0]});
  const std::string before = output_of("fl-client", {"status", home});
  disk.fill();
  check_refused("fl-client", {"import", home, files[1]}, {"examples.db", "full"});
  CHECK(output_of("fl-client", {"status", home}) == before);
  disk.free();
  output_of("fl-client", {"import", home, files[1]});
  CHECK(output_of("fl-client", {"status", home}) != before);
}

TEST_CASE("a server's home is not begun on a full disk (I9)") {
  const TemporaryFolder folder;
  SmallDisk disk(folder / "disk", 1 * megabytes);
  if (left_out(disk)) return;
  disk.fill();
  const std::string home = (disk.path() / "server").string();
  check_refused("fl-server", {"init", home}, {disk.path().string(), "No space left on device"});
  disk.free();
  CHECK(std::filesystem::is_empty(disk.path()));
  output_of("fl-server", {"init", home});
}
