#include "client/agent/backoff.h"

#include <algorithm>
#include <vector>

#include <doctest/doctest.h>

using namespace fl;
using namespace fl::client;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

TEST_CASE("the wait doubles up to its limit and chance takes at most half of it") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Backoff backoff({}, seed);
    double full = 500;
    for (int failure = 0; failure < 12; ++failure) {
      const auto wait = static_cast<double>(backoff.after(ErrorCode::unavailable).count());
      CHECK(wait >= full / 2 - 1);
      CHECK(wait <= full);
      full = std::min(full * 2, 60'000.0);
    }
  }
}

TEST_CASE("devices with different seeds come back at different times") {
  std::vector<milliseconds> waits;
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    waits.push_back(Backoff({}, seed).after(ErrorCode::unavailable));
  std::sort(waits.begin(), waits.end());
  CHECK(std::unique(waits.begin(), waits.end()) - waits.begin() > 15);
  CHECK(Backoff({}, 3).after(ErrorCode::timeout) == Backoff({}, 3).after(ErrorCode::timeout));
}

TEST_CASE("what trying again does not mend is tried more seldom") {
  for (const ErrorCode code : {ErrorCode::unauthenticated, ErrorCode::resource_exhausted}) {
    Backoff backoff({}, 1);
    CHECK(backoff.after(code) >= 15s);
    for (int failure = 0; failure < 10; ++failure) backoff.after(code);
    CHECK(backoff.after(code) >= 30min);
    CHECK(backoff.after(code) <= 1h);
  }
}

TEST_CASE("after a good while the failures before count no more and after a moment they still do") {
  Backoff backoff({}, 1);
  for (int failure = 0; failure < 8; ++failure) backoff.after(ErrorCode::unavailable);
  backoff.was_well_for(1s);
  CHECK(backoff.after(ErrorCode::unavailable) > 20s);
  backoff.was_well_for(20s);
  CHECK(backoff.after(ErrorCode::unavailable) <= 500ms);
}

TEST_CASE("a thousand failures in a row do not overflow the wait") {
  Backoff backoff({}, 1);
  for (int failure = 0; failure < 1000; ++failure) {
    const milliseconds wait = backoff.after(ErrorCode::protocol);
    CHECK(wait > 0ms);
    CHECK(wait <= 60s);
  }
}
