#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/e2e/crowd.h"
#include "tests/e2e/refusals.h"
#include "tests/e2e/scrape.h"

using namespace fl::test;

namespace {

constexpr const char* newest = R"(fl_version{task="motion"})";
constexpr const char* made_way = R"(fl_refusals_total{reason="made_way",stage="handshake"})";
constexpr const char* no_frames = R"(fl_refusals_total{reason="protocol",stage="enrolment"})";
constexpr const char* strangers = R"(fl_connections{peer="unauthenticated"})";

/// The beginning of a TLS record of 16 KiB that holds a handshake message of 16 MiB.
std::string oversize_hello() {
  return {"\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03", 11};
}

/// The beginning of a TLS handshake whose end never comes.
std::string half_a_hello() {
  return {"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03", 11};
}

/// The header of a message of 64 MiB.
std::string oversize_frame() {
  return {"\x00\x00\x00\x04\x01\x00\x00\x00", 8};
}

/// A frame of a kind that there is not.
std::string malformed_frame() {
  return {"\x04\x00\x00\x00\x09\x00\x00\x00kind", 12};
}

std::vector<Crowd::Peers> everybody() {
  return {{.count = 1000, .first = half_a_hello(), .drips = true, .network = 1},
          {.count = 500, .first = "", .network = 2},
          {.count = 100, .first = half_a_hello(), .network = 3},
          {.count = 100, .first = oversize_hello(), .drips = true, .network = 4},
          {.count = 50, .first = "GET / HTTP/1.1\r\n\r\n", .network = 5},
          {.count = 25, .first = oversize_frame(), .shakes_hands = true, .network = 6},
          {.count = 25, .first = malformed_frame(), .shakes_hands = true, .network = 7}};
}

/// Memory of a process, in MiB.
double resident_mebibytes(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

/// A device comes anew, without which no round ends, takes part in three rounds and goes.
void take_part_anew(Federation& federation, const Scrape& metrics) {
  const auto version = static_cast<std::uint64_t>(metrics.figure(newest).value());
  federation.start_device(1);
  federation.wait_for_version(version + 3, Process::Seconds(20));
  federation.kill_device(1);
}

}  // namespace

TEST_CASE("1800 slow and silent and malformed peers shut out no device and their memory comes back (I8)") {
  Federation::Settings settings;
  settings.rounds = 0;  // no end
  Federation federation(settings);
  federation.start_server();
  const Scrape metrics(federation);
  federation.start_devices();
  federation.wait_for_version(2);
  federation.kill_device(1);
  const double before = resident_mebibytes(federation.server().id());
  for (int wave = 0; wave < 2; ++wave) {
    {
      const Crowd crowd(federation.port(), everybody());
      CHECK(metrics.await(strangers, [](double now) { return now == 1024; }));
      const double gone = metrics.figure(made_way).value_or(0);
      take_part_anew(federation, metrics);
      CHECK(metrics.await(made_way, [&](double now) { return now > gone; }));
      CHECK(metrics.figure(no_frames).value_or(0) > 0);
      CHECK(resident_mebibytes(federation.server().id()) < before + 200);
    }
    CHECK(metrics.await(strangers, [](double now) { return now == 0; }));
    CHECK(metrics.await(strangers, [&](double /*now*/) {
      return resident_mebibytes(federation.server().id()) < before + 15;
    }));
  }
  CHECK(metrics.figure(R"(fl_connections{peer="device"})") == 1);
  const Ended ended = federation.stop_server();
  CHECK(ended.exit_code == 0);
  CHECK(lines_with(ended.errors, " warning ") < 400);  // of thousands of refusals
  CHECK(contains(ended.errors, "more refusals were not logged one by one"));
}
