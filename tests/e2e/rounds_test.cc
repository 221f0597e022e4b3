#include <csignal>

#include <doctest/doctest.h>

#include "tests/e2e/federation.h"

using namespace fl::test;

TEST_CASE("five devices train over TLS until they recognise strangers and predict without the server (I2)") {
  Federation::Settings settings;
  settings.devices = 5;
  settings.rounds = 12;
  settings.recordings = 5;
  settings.model = "architecture = cnn1d\n";
  settings.more = "[train]\nepochs = 2\n";
  Federation federation(settings);
  federation.start_server();
  federation.start_devices();
  federation.wait_for_version(13, Process::Seconds(240));
  for (std::uint32_t device = 0; device < 5; ++device) {
    federation.device(device).wait_for_line("version 13");
    federation.device(device).signal(SIGTERM);
    CHECK(federation.device(device).wait().exit_code == 0);
  }
  CHECK(federation.stop_server().exit_code == 0);
  // Chance is 0.2; a device that trains alone stays under 0.6.
  CHECK(federation.accuracy_of(0, {5, 6}) >= 0.70);
  CHECK(federation.accuracy_of(4, {5, 6}) == federation.accuracy_of(0, {5, 6}));
}

TEST_CASE("a server killed between rounds goes on with the next round (I3)") {
  Federation federation({});
  federation.start_server();
  federation.start_devices();
  federation.wait_for_version(2);
  federation.kill_server();
  federation.start_server();
  federation.wait_for_version(4);
}

TEST_CASE("a server killed while devices train goes on with the same round (I3)") {
  Federation::Settings settings;
  settings.rounds = 2;
  settings.more = "[train]\nepochs = 40\n";
  Federation federation(settings);
  federation.start_server();
  federation.start_devices();
  federation.server().wait_for_line("devices selected");
  federation.server().wait_for_line("update accepted");
  federation.kill_server();
  federation.start_server();
  federation.wait_for_version(3);
}

TEST_CASE("a device killed in a round comes back and the round completes") {
  Federation::Settings settings;
  settings.rounds = 2;
  settings.more = "[train]\nepochs = 40\n";
  Federation federation(settings);
  federation.start_server();
  federation.start_devices();
  federation.server().wait_for_line("devices selected");
  federation.kill_device(0);
  federation.start_device(0);
  federation.wait_for_version(3);
}

TEST_CASE("a device that was away for many versions and one that is new catch up and take part") {
  Federation::Settings settings;
  settings.devices = 3;
  settings.rounds = 5;
  settings.more = "selection-seconds = 1\n";
  Federation federation(settings);
  federation.start_server();
  for (std::uint32_t device = 0; device < 3; ++device) federation.enrol(device);
  federation.start_device(0);
  federation.start_device(1);
  federation.start_device(2);
  federation.wait_for_version(2);
  federation.kill_device(2);
  federation.start_device(2);
  federation.wait_for_version(6);
  federation.device(2).wait_for_line("version 6");
}
