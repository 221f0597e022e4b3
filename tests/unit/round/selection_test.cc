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
