#include "server/entrance/rate_limiter.h"

#include <doctest/doctest.h>

using namespace fl::server;
using namespace std::chrono_literals;

namespace {

constexpr RateLimiter::Moment begin{1000s};

std::size_t taken(RateLimiter& limiter, const std::string& key, RateLimiter::Moment now, std::size_t tries) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < tries; ++i) count += limiter.take(key, now) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a minute's worth may be done at once and then as much as the time brings") {
  RateLimiter limiter(60, 100);
  CHECK(taken(limiter, "a", begin, 1000) == 60);
  CHECK(taken(limiter, "a", begin + 999ms, 1000) == 0);
  CHECK(taken(limiter, "a", begin + 10s, 1000) == 10);
  CHECK(taken(limiter, "b", begin + 10s, 1000) == 60);
  CHECK(taken(limiter, "a", begin + 24h, 1000) == 60);
}

TEST_CASE("however often it is asked in between a key gets its rate") {
  RateLimiter limiter(60, 100);
  std::size_t count = 0;
  for (auto passed = 0ms; passed < 10min; passed += 7ms) count += taken(limiter, "a", begin + passed, 1);
  CHECK(count >= 60 + 9 * 60 + 59);
  CHECK(count <= 60 + 10 * 60);
}

TEST_CASE("keys without end take no more memory and those that come often are not forgotten") {
  RateLimiter limiter(2, 100);
  CHECK(taken(limiter, "busy", begin, 10) == 2);
  for (int i = 0; i < 10'000; ++i) {
    CHECK(limiter.take(std::to_string(i), begin));
    if (i % 50 == 0) CHECK(!limiter.take("busy", begin));
  }
  CHECK(limiter.keys() == 100);
  CHECK(limiter.take("0", begin));  // forgotten long ago
}
