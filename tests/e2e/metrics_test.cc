#include <limits>

#include <doctest/doctest.h>

#include "tests/e2e/members.h"
#include "tests/e2e/refusals.h"
#include "tests/e2e/scrape.h"

using namespace fl;
using namespace fl::test;

TEST_CASE("an operator reads over HTTP what devices sent and what became of it (I3)") {
  Federation::Settings settings;
  settings.devices = 3;
  settings.rounds = 2;
  settings.minimum = 2;
  settings.more = "max-delta = 2\n";
  Federation federation(settings);
  federation.start_server();
  const Scrape metrics(federation);
  for (std::uint32_t device = 0; device < 3; ++device) federation.enrol_with(device, {});
  CHECK(metrics.figure("fl_enrolments_total") == 3);
  std::vector<std::unique_ptr<Member>> members;
  for (std::uint32_t device = 0; device < 3; ++device) {
    members.push_back(std::make_unique<Member>(federation.device_home(device)));
    members.back()->join(federation.port());
  }
  ScriptedDevice::Update bad;
  bad.delta.assign(manifest_of(federation.device_home(0)).weights_count, 0.001F);
  const double update_bytes = static_cast<double>(bad.delta.size() * sizeof(float));
  bad.delta[3] = std::numeric_limits<float>::quiet_NaN();
  members[0]->expect<wire::WorkOffer>();
  CHECK(metrics.figure(R"(fl_round_phase{phase="training",task="motion"})") == 1);
  CHECK(metrics.figure(R"(fl_round_cohort_devices{task="motion"})") == 3);
  CHECK(members[0]->upload(bad).outcome() == wire::Outcome::not_finite);
  bad.examples = 0;
  CHECK(members[0]->upload(bad).outcome() == wire::Outcome::not_selected);
  members[1]->finish(1);
  members[2]->finish(1);
  federation.wait_for_version(2);

  const boost::json::value round = federation.rounds().at(0);
  const auto counted = [&](const std::string& outcome, const std::string& reason) {
    return metrics.figure("fl_updates_total{outcome=\"" + outcome + "\",reason=\"" + reason +
                          "\",task=\"motion\"}");
  };
  CHECK(counted("accepted", "") == round.at("accepted").to_number<double>());
  CHECK(counted("refused", "not_finite") == round.at("refused").to_number<double>());
  CHECK(counted("refused", "not_selected") == 1);
  // What was refused before its bytes is not among them.
  CHECK(metrics.figure(R"(fl_transfer_bytes_total{direction="received",encoding="fp32",task="motion"})") ==
        3 * update_bytes);
  CHECK(metrics.figure(R"(fl_rounds_total{outcome="committed",task="motion"})") == 1);
  CHECK(metrics.figure(R"(fl_version{task="motion"})") == 2);
  CHECK(metrics.figure(R"(fl_round{task="motion"})") == 2);
  CHECK(metrics.figure(R"(fl_connections{peer="device"})") == 3);

  output_of("fl-client", {"sync", federation.device_home(0).string()});
  CHECK(metrics.figure(R"(fl_transfer_bytes_total{direction="sent",encoding="fp32",task="motion"})")
            .value_or(0) >= update_bytes);
  CHECK(federation.stop_server().exit_code == 0);
}

TEST_CASE("what is no request for the metrics is refused and the rounds go on (I8)") {
  Federation::Settings settings;
  settings.rounds = 1;
  Federation federation(settings);
  federation.start_server();
  const Scrape metrics(federation);
  CHECK(contains(answer_over_http(metrics.port(), "GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 "));
  CHECK(contains(answer_over_http(metrics.port(), "POST /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 "));
  CHECK(contains(answer_over_http(metrics.port(), "rounds, please\r\n\r\n"), "HTTP/1.1 400 "));
  const std::string endless = "GET /metrics HTTP/1.1\r\nX: " + std::string(1U << 20U, 'x');
  CHECK(!contains(answer_over_http(metrics.port(), endless), "HTTP/1.1 200 "));
  federation.start_devices();
  federation.wait_for_version(2);
  CHECK(metrics.figure(R"(fl_rounds_total{outcome="committed",task="motion"})") == 1);
}

TEST_CASE("metrics can be turned off and a setting that is no address is refused (I9)") {
  Federation federation({});
  const std::string home = federation.server_home().string();
  Process server("fl-server", {"run", home, "--metrics", "off"});
  server.wait_for_line("listening on");
  server.signal(SIGTERM);
  CHECK(!contains(server.wait().errors, "metrics are at"));
  check_refused("fl-server", {"run", home, "--metrics", "nowhere"}, {"--metrics: "}, 2);
  federation.start_server();
  const Scrape metrics(federation);
  Federation another({});
  check_refused(
      "fl-server",
      {"run", another.server_home().string(), "--metrics", "127.0.0.1:" + std::to_string(metrics.port())},
      {"cannot listen on 127.0.0.1:" + std::to_string(metrics.port()), "'metrics' in fl-server.ini"});
}
