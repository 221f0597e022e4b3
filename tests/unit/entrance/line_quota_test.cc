#include "server/entrance/line_quota.h"

#include <doctest/doctest.h>

using namespace fl::server;
using namespace std::chrono_literals;

namespace {

constexpr LineQuota::Moment begin{1000s};

std::size_t admitted(LineQuota& quota, const std::string& source, std::size_t lines) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < lines; ++i) count += quota.admits(source, begin) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("the first lines of a source are written and those of all sources up to a bound") {
  LineQuota quota({.of_a_source = 3, .of_all = 7, .window = 60s});
  CHECK(admitted(quota, "a", 1000) == 3);
  CHECK(admitted(quota, "b", 2) == 2);
  CHECK(admitted(quota, "c", 1000) == 2);
  CHECK(admitted(quota, "d", 1000) == 0);
}

TEST_CASE("at the end of a window it is told how many lines were left out and the next begins anew") {
  LineQuota quota({.of_a_source = 3, .of_all = 7, .window = 60s});
  CHECK(!quota.end_window(begin));
  CHECK(!quota.window_end());
  admitted(quota, "a", 10);
  CHECK(quota.window_end() == begin + 60s);
  CHECK(!quota.end_window(begin + 59s));
  CHECK(quota.end_window(begin + 60s) == 7U);
  CHECK(!quota.end_window(begin + 60s));
  CHECK(admitted(quota, "a", 10) == 3);
  CHECK(quota.end_window(begin, true) == 7U);
}
