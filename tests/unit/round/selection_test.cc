#include "server/round/selection.h"

#include <algorithm>
#include <map>

#include <doctest/doctest.h>

using namespace fl::server;

TEST_CASE("a cohort depends on who could be chosen and on the seed but not on the order (I4)") {
  const std::vector<std::string> there = {"a", "b", "c", "d", "e", "f", "g"};
  const std::vector<std::string> reversed(there.rbegin(), there.rend());
  CHECK(select_cohort(there, 3, 1) == select_cohort(reversed, 3, 1));
  bool differs = false;
  for (std::uint64_t seed = 2; seed < 12; ++seed) {
    differs = differs || select_cohort(there, 3, seed) != select_cohort(there, 3, 1);
  }
  CHECK(differs);
}

TEST_CASE("fewer candidates than places are all chosen") {
  CHECK(select_cohort({"b", "a"}, 5, 1) == std::vector<std::string>{"a", "b"});
  CHECK(select_cohort({}, 5, 1).empty());
}

TEST_CASE("over many seeds every candidate is chosen about equally often") {
  std::map<std::string, int> chosen;
  for (std::uint64_t seed = 0; seed < 3'000; ++seed) {
    for (const std::string& device : select_cohort({"a", "b", "c", "d", "e"}, 2, seed)) ++chosen[device];
  }
  for (const auto& [device, times] : chosen) CHECK(std::abs(times - 1'200) < 120);
}

TEST_CASE("the least recent are those who never took part and then those who did longest ago") {
  const auto at = [](int hour) { return fl::Timestamp(std::chrono::hours(hour)); };
  const std::map<std::string, fl::Timestamp> took_part = {{"a", at(9)}, {"b", at(3)}, {"c", at(5)}};
  const auto chosen = [&](std::size_t count, std::uint64_t seed) {
    return select_cohort({"a", "b", "c", "d", "e"}, count, seed, fl::Sampling::least_recent, took_part);
  };
  std::map<std::string, int> firsts;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    ++firsts[chosen(1, seed).front()];
    REQUIRE(chosen(2, seed) == std::vector<std::string>{"d", "e"});
    REQUIRE(chosen(3, seed) == std::vector<std::string>{"b", "d", "e"});
    REQUIRE(chosen(4, seed) == std::vector<std::string>{"b", "c", "d", "e"});
  }
  // Those who never did are as likely as each other.
  CHECK(firsts.size() == 2);
  CHECK(std::abs(firsts["d"] - 200) < 60);
}

TEST_CASE("over many rounds the least recent all take part about equally often") {
  std::vector<std::string> devices;
  for (int i = 0; i < 30; ++i) devices.push_back("device " + std::to_string(i));
  std::map<std::string, fl::Timestamp> took_part;
  std::map<std::string, int> times;
  for (int round = 1; round <= 60; ++round) {
    const auto seed = static_cast<std::uint64_t>(round);
    for (const std::string& device : select_cohort(devices, 7, seed, fl::Sampling::least_recent, took_part)) {
      took_part[device] = fl::Timestamp(std::chrono::hours(round));
      ++times[device];
    }
  }
  for (const std::string& device : devices) CHECK(std::abs(times[device] - 14) <= 1);
}
