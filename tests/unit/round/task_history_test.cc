#include "server/round/task_history.h"

#include <doctest/doctest.h>

using namespace fl;
using namespace fl::server;

namespace {

constexpr Timestamp start{std::chrono::hours(1'000'000)};

Timestamp after(int seconds) {
  return start + std::chrono::seconds(seconds);
}

}  // namespace

TEST_CASE("after each round abandoned in a row the pause is twice as long up to ten minutes") {
  TaskHistory history;
  CHECK(history.pause(start) == Milliseconds(0));
  for (const int seconds : {2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600}) {
    history.round_abandoned(start);
    CHECK(history.pause(start) == std::chrono::seconds(seconds));
  }
}

TEST_CASE("a committed round ends the pauses") {
  TaskHistory history;
  for (int i = 0; i < 5; ++i) history.round_abandoned(start);
  history.round_committed(start, after(1));
  CHECK(history.pause(start) == Milliseconds(0));
  history.round_abandoned(start);
  CHECK(history.pause(start) == std::chrono::seconds(2));
  CHECK(history.committed() == 1);
}

TEST_CASE("a pause begins when its round ended and no clock makes it longer") {
  TaskHistory history;
  for (int i = 0; i < 4; ++i) history.round_abandoned(start);
  CHECK(history.pause(after(6)) == std::chrono::seconds(10));
  CHECK(history.pause(after(17)) == Milliseconds(0));
  CHECK(history.pause(after(-1'000'000)) == std::chrono::seconds(16));
}

TEST_CASE("after very many abandoned rounds the pause is what it was") {
  TaskHistory history;
  for (int i = 0; i < 100'000; ++i) history.round_abandoned(start);
  CHECK(history.pause(start) == std::chrono::minutes(10));
}

TEST_CASE("the time of a round is that of the last ones above all") {
  TaskHistory history;
  CHECK(history.round_time() == Milliseconds(0));
  history.round_committed(start, after(40));
  CHECK(history.round_time() == std::chrono::seconds(40));
  history.round_abandoned(after(1'000));
  CHECK(history.round_time() == std::chrono::seconds(40));
  for (int i = 0; i < 20; ++i) history.round_committed(start, after(8));
  CHECK(history.round_time() < std::chrono::seconds(9));
  CHECK(history.round_time() >= std::chrono::seconds(7));
  history.round_committed(start, after(-1'000'000));  // the clock was set back
  CHECK(history.round_time() > Milliseconds(0));
}
