#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <doctest/doctest.h>

#include "client/learning/adaptive_window.h"
#include "client/learning/error_rate_watch.h"
#include "client/learning/page_hinkley.h"
#include "common/base/random.h"
#include "tests/unit/learning/streams.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;

namespace {

double digit(char text) {
  return text - '0';
}

/// The places at which a detector says yes, of a stream of digits.
template <typename Detector>
std::vector<std::size_t> alarms(Detector detector, std::string_view stream) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < stream.size(); ++i)
    if (detector.add(digit(stream[i]))) places.push_back(i);
  return places;
}

PageHinkley page_hinkley(double threshold) {
  PageHinkley::Settings settings;
  settings.threshold = threshold;
  return PageHinkley(settings);
}

/// How many answers after the 500th it takes until `detector` says that the share of wrong ones has risen;
/// none where it does not within 1,000, a negative number where it did before.
template <typename Detector>
std::optional<int> delay(Detector detector, double before, double after, std::uint64_t seed) {
  Random random(seed);
  for (int i = 0; i < 1500; ++i) {
    const bool wrong = random.uniform() < (i < 500 ? before : after);
    if (detector.add(wrong ? 1.0 : 0.0)) return i - 500;
  }
  return std::nullopt;
}

struct Delays {
  int false_alarms = 0;
  int missed = 0;
  double median = 0;
};

template <typename Make>
Delays simulate(Make make, double before, double after) {
  constexpr int runs = 400;
  Delays result;
  std::vector<int> found;
  for (int run = 0; run < runs; ++run) {
    const std::optional<int> after_change = delay(make(), before, after, static_cast<std::uint64_t>(run) + 1);
    if (!after_change) {
      ++result.missed;
    } else if (*after_change < 0) {
      ++result.false_alarms;
    } else {
      found.push_back(*after_change);
    }
  }
  REQUIRE(!found.empty());
  std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(found.size() / 2), found.end());
  result.median = found[found.size() / 2];
  return result;
}

}  // namespace

TEST_CASE("Page-Hinkley alarms where others of the same settings do") {
  CHECK(alarms(page_hinkley(50), risen) == std::vector<std::size_t>{1006});
}

TEST_CASE("ADWIN cuts where others of the same settings do and forgets what came before") {
  AdaptiveWindow window;
  CHECK(alarms(window, risen) == std::vector<std::size_t>{1023});
  for (const char value : risen) window.add(digit(value));
  CHECK(window.mean() == doctest::Approx(5.5).epsilon(0.05));
  CHECK(window.size() > 900);
  CHECK(window.size() < 1100);
}

TEST_CASE("DDM warns and then tells of drift where others of the same settings do") {
  ErrorRateWatch watch;
  std::optional<std::size_t> warned;
  std::vector<std::size_t> drifts;
  for (std::size_t i = 0; i < worsened.size(); ++i) {
    const ErrorRateWatch::Level level = watch.add(worsened[i] == '1');
    if (level == ErrorRateWatch::Level::warning && !warned) warned = i;
    if (level == ErrorRateWatch::Level::drift) drifts.push_back(i);
  }
  CHECK(warned == 1084);
  CHECK(drifts == std::vector<std::size_t>{1334});
}

TEST_CASE(
    "Page-Hinkley with the settings of a device alarms falsely never and late by about a hundred answers") {
  const Delays large = simulate([] { return PageHinkley(); }, 0.1, 0.3);
  CHECK(large.false_alarms <= 2);
  CHECK(large.missed == 0);
  CHECK(large.median == doctest::Approx(94).epsilon(0.1));
  const Delays small = simulate([] { return PageHinkley(); }, 0.1, 0.2);
  CHECK(small.missed <= 4);
  CHECK(small.median == doctest::Approx(203).epsilon(0.1));
}

TEST_CASE("ADWIN confirms a large change of an error rate and cuts falsely never") {
  const Delays large = simulate([] { return AdaptiveWindow(); }, 0.1, 0.3);
  CHECK(large.false_alarms <= 2);
  CHECK(large.missed <= 2);
  CHECK(std::abs(large.median - 140) <= 32);  // it looks every 32 values
}

TEST_CASE("Page-Hinkley goes on after a restart with what it remembers") {
  PageHinkley first = page_hinkley(50);
  for (std::size_t i = 0; i < 1003; ++i) CHECK_FALSE(first.add(digit(risen[i])));
  PageHinkley::Settings settings;
  settings.threshold = 50;
  PageHinkley second(settings, first.state());
  std::optional<std::size_t> alarmed;
  for (std::size_t i = 1003; i < risen.size() && !alarmed; ++i)
    if (second.add(digit(risen[i]))) alarmed = i;
  CHECK(alarmed == 1006);
}

TEST_CASE("ADWIN summarises a million values in a few kilobytes") {
  AdaptiveWindow window;
  Random random(1);
  for (int i = 0; i < 1'000'000; ++i) window.add(random.uniform());
  CHECK(window.buckets() <= 5 * 18);
  CHECK(window.mean() == doctest::Approx(0.5).epsilon(0.01));
}

TEST_CASE("DDM says nothing of a model that errs seldom and evenly") {
  ErrorRateWatch watch;
  for (int i = 0; i < 10'000; ++i) CHECK(watch.add(i % 100 == 99) != ErrorRateWatch::Level::drift);
}

TEST_CASE("what is not a number changes no detector (I9)") {
  PageHinkley alarm;
  AdaptiveWindow window;
  for (int i = 0; i < 100; ++i) {
    CHECK_FALSE(alarm.add(std::nan("")));
    CHECK_FALSE(window.add(INFINITY));
    CHECK_FALSE(alarm.add(1e308));
    CHECK_FALSE(window.add(-1e308));
  }
  CHECK(alarm.state().count == 0);
  CHECK(window.size() == 0);
}
