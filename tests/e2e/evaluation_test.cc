#include <algorithm>
#include <csignal>

#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include "tests/e2e/federation.h"
#include "tests/e2e/scrape.h"

using namespace fl::test;

namespace {

/// How a device's own program says that the version that serves there does on its held-out examples.
struct OwnTest {
  OwnTest(const Federation& federation, std::uint32_t device) {
    const boost::json::value status =
        json_of("fl-client", {"status", federation.device_home(device).string()});
    const boost::json::value& task = status.at("tasks").at(0);
    CHECK(task.at("version") == 2);
    examples = task.at("held_out").to_number<double>();
    loss = task.at("loss").to_number<double>();
    accuracy = task.at("accuracy").to_number<double>();
  }
  double examples = 0.0;
  double loss = 0.0;
  double accuracy = 0.0;
};

}  // namespace

TEST_CASE("devices evaluate the version they made and the operator sees it also after a kill (I1) (I3)") {
  Federation::Settings settings;
  settings.rounds = 1;
  settings.more = "[evaluation]\nevery = 2\ngoal = 2\n";
  Federation federation(settings);
  federation.start_server();
  federation.start_devices();
  federation.server().wait_for_line("evaluation=1: of version 2, complete: 2 devices");
  for (const std::uint32_t device : {0U, 1U}) {
    federation.device(device).wait_for_line("version 2 of motion: the server has the report");
    federation.device(device).signal(SIGTERM);
    CHECK(federation.device(device).wait().exit_code == 0);
  }
  const OwnTest one(federation, 0);
  const OwnTest other(federation, 1);
  const double examples = one.examples + other.examples;
  federation.kill_server();
  federation.start_server();
  const Scrape metrics(federation);
  const boost::json::value versions =
      json_of("fl-server", {"versions", federation.server_home().string(), "motion"});
  CHECK(versions.at(0).at("evaluation").is_null());
  const boost::json::value& version = versions.at(1);
  CHECK(version.at("evaluation") == "complete");
  CHECK(version.at("devices") == 2);
  CHECK(version.at("examples").to_number<double>() == examples);
  const auto figure = [&](const char* key) { return version.at(key).to_number<double>(); };
  const double loss = (one.loss * one.examples + other.loss * other.examples) / examples;
  const double accuracy = (one.accuracy * one.examples + other.accuracy * other.examples) / examples;
  CHECK(figure("loss") == doctest::Approx(loss).epsilon(1e-9));
  CHECK(figure("accuracy") == doctest::Approx(accuracy).epsilon(1e-9));
  CHECK(figure("accuracy_min") == doctest::Approx(std::min(one.accuracy, other.accuracy)).epsilon(1e-9));
  CHECK(figure("accuracy_max") == doctest::Approx(std::max(one.accuracy, other.accuracy)).epsilon(1e-9));
  CHECK(figure("loss_max") == doctest::Approx(std::max(one.loss, other.loss)).epsilon(1e-9));
  CHECK(metrics.figure(R"(fl_evaluation_version{task="motion"})") == 2);
  CHECK(metrics.figure(R"(fl_evaluation_accuracy{task="motion"})").value_or(0) ==
        doctest::Approx(accuracy).epsilon(1e-9));
  CHECK(json_of("fl-server", {"fsck", federation.server_home().string()}).at("versions") == 2);
  CHECK(federation.stop_server().exit_code == 0);
}
