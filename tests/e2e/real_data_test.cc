#include <csignal>
#include <cstdlib>

#include <doctest/doctest.h>

#include "common/data/people.h"
#include "tests/e2e/federation.h"

using namespace fl::test;

TEST_CASE("on real people's recordings a few rounds recognise the activities of people who took no part") {
  const char* folder = std::getenv("FL_HAR_DIR");
  if (folder == nullptr) {
    MESSAGE("skipped: FL_HAR_DIR does not name the data set");
    return;
  }
  Federation::Settings settings;
  settings.devices = 6;
  settings.rounds = 5;
  settings.model = "architecture = cnn1d\n";
  settings.more = "[train]\nepochs = 2\n";
  settings.people = folder;
  Federation federation(settings);
  federation.start_server();
  federation.start_devices();
  federation.wait_for_version(6, Process::Seconds(300));
  federation.device(0).wait_for_line("version 6");
  federation.device(0).signal(SIGTERM);
  CHECK(federation.device(0).wait().exit_code == 0);
  CHECK(federation.stop_server().exit_code == 0);
  // Chance is 0.2, always answering the commonest activity 0.44; thirteen people and 20 rounds reach 0.82.
  CHECK(federation.accuracy_of(0, {13, 14, 15, 16, 17}) >= 0.55);
}
