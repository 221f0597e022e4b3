#include "common/program/progress.h"

#include <sstream>

#include <doctest/doctest.h>

using fl::program::Progress;
using std::chrono::milliseconds;

namespace {

/// A clock that stands still until it is moved.
struct HandClock {
  std::chrono::steady_clock::time_point now;
  Progress::Clock function() {
    return [this] { return now; };
  }
};

}  // namespace

TEST_CASE("short steps show nothing and long ones a line every five seconds (I10)") {
  HandClock clock;
  std::ostringstream out;
  Progress progress("reading", out, false, clock.function());
  clock.now += milliseconds(1900);
  progress.update(1, 10);
  CHECK(out.str().empty());
  clock.now += milliseconds(200);
  progress.update(2, 10, "s01.csv");
  CHECK(out.str() == "reading: 20 %, 2.1 s, s01.csv\n");
  clock.now += milliseconds(4900);
  progress.update(3, 10);
  CHECK(out.str() == "reading: 20 %, 2.1 s, s01.csv\n");
  clock.now += milliseconds(100);
  progress.update(4, 0);
  CHECK(out.str() == "reading: 20 %, 2.1 s, s01.csv\nreading, 7.1 s\n");
}

TEST_CASE("on a terminal one line is rewritten and taken away at the end (I10)") {
  HandClock clock;
  std::ostringstream out;
  {
    Progress progress("reading", out, true, clock.function());
    clock.now += milliseconds(1100);
    progress.update(1, 2);
    clock.now += milliseconds(100);
    progress.update(2, 2);
  }
  CHECK(out.str() == "\rreading: 50 %, 1.1 s\x1b[K\rreading: 100 %, 1.2 s\x1b[K\r\x1b[K");
}
