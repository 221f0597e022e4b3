#include "server/fleet/evaluation_summary.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <doctest/doctest.h>

#include "common/base/random.h"

using namespace fl;
using namespace fl::server;

namespace {

EvaluatorRecord report(std::uint64_t examples, double loss_sum, std::optional<double> correct) {
  EvaluatorRecord record;
  record.state = EvaluatorState::reported;
  record.examples = examples;
  record.loss_sum = loss_sum;
  record.correct = correct;
  return record;
}

/// Of devices whose losses are of very different magnitudes.
std::vector<EvaluatorRecord> random_reports(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<EvaluatorRecord> reports;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t examples = 1 + random.below(1'000);
    const double loss = std::ldexp(random.uniform(), static_cast<int>(random.below(40)) - 20);
    const auto correct = static_cast<double>(random.below(examples + 1));
    reports.push_back(report(examples, loss * static_cast<double>(examples), correct));
  }
  return reports;
}

void check_same(const Spread& a, const Spread& b) {
  CHECK(a.min == b.min);
  CHECK(a.p10 == b.p10);
  CHECK(a.p50 == b.p50);
  CHECK(a.p90 == b.p90);
  CHECK(a.max == b.max);
}

/// The least value that `percent` of a hundred of all values are not above, by counting.
double percentile(const std::vector<double>& values, std::size_t percent) {
  double found = INFINITY;
  for (const double candidate : values) {
    const auto below = static_cast<std::size_t>(
        std::count_if(values.begin(), values.end(), [&](double value) { return value <= candidate; }));
    if (below * 100 >= percent * values.size()) found = std::min(found, candidate);
  }
  return found;
}

}  // namespace

TEST_CASE("means are over examples and spreads over devices") {
  const std::vector<EvaluatorRecord> reports{report(10, 5.0, 9.0), report(30, 60.0, 15.0),
                                             report(60, 15.0, 60.0)};
  const EvaluationSummary summary = summarise(reports);
  CHECK(summary.devices == 3);
  CHECK(summary.examples == 100);
  CHECK(summary.loss == 0.8);  // (5 + 60 + 15) / 100, by hand
  CHECK(summary.accuracy == 0.84);
  check_same(summary.loss_spread.value(), {0.25, 0.25, 0.5, 2.0, 2.0});
  check_same(summary.accuracy_spread.value(), {0.5, 0.5, 0.9, 1.0, 1.0});
}

TEST_CASE("the sums agree with wider arithmetic and the percentiles with counting") {
  for (const std::size_t count : {1U, 2U, 9U, 10U, 11U, 100U, 1'001U}) {
    const std::vector<EvaluatorRecord> reports = random_reports(count, count);
    const EvaluationSummary summary = summarise(reports);
    long double loss = 0;
    double correct = 0;
    std::uint64_t examples = 0;
    std::vector<double> losses;
    for (const EvaluatorRecord& one : reports) {
      loss += one.loss_sum;
      correct += *one.correct;
      examples += one.examples;
      losses.push_back(one.loss_sum / static_cast<double>(one.examples));
    }
    CHECK(summary.examples == examples);
    CHECK(summary.loss.value() ==
          doctest::Approx(static_cast<double>(loss / static_cast<long double>(examples))).epsilon(1e-15));
    CHECK(summary.accuracy.value() == correct / static_cast<double>(examples));
    check_same(summary.loss_spread.value(),
               {percentile(losses, 0), percentile(losses, 10), percentile(losses, 50), percentile(losses, 90),
                percentile(losses, 100)});
  }
}

TEST_CASE("whatever their order the same reports add up to the same bits (I4)") {
  std::vector<EvaluatorRecord> reports = random_reports(200, 3);
  reports.push_back(report(1, 1e8, 0.0));  // beside which the others lose digits in a plain sum
  const EvaluationSummary once = summarise(reports);
  double plain = 0.0;
  bool plain_differs = false;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random(seed).shuffle(reports);
    const EvaluationSummary again = summarise(reports);
    CHECK(again.loss == once.loss);
    CHECK(again.accuracy == once.accuracy);
    check_same(again.loss_spread.value(), once.loss_spread.value());
    double sum = 0.0;
    for (const EvaluatorRecord& one : reports) sum += one.loss_sum;
    plain_differs = plain_differs || (plain != 0.0 && sum != plain);
    plain = sum;
  }
  CHECK(plain_differs);
}

TEST_CASE("only reports count and accuracy is over those that have one") {
  CHECK(summarise({}).devices == 0);
  CHECK_FALSE(summarise({}).loss);
  std::vector<EvaluatorRecord> reports{report(4, 2.0, std::nullopt), report(6, 3.0, 3.0)};
  reports.push_back(report(100, 1e6, 100.0));
  reports.back().state = EvaluatorState::refused;
  reports.emplace_back();
  const EvaluationSummary summary = summarise(reports);
  CHECK(summary.devices == 2);
  CHECK(summary.examples == 10);
  CHECK(summary.loss == 0.5);
  CHECK(summary.accuracy == 0.5);
  const std::array<EvaluatorRecord, 1> without{report(4, 0.0, std::nullopt)};
  CHECK(summarise(without).loss == 0.0);
  CHECK_FALSE(summarise(without).accuracy);
}

TEST_CASE("reports at the ends of their bounds add up") {
  const double most = largest_reported_loss * static_cast<double>(most_reported_examples);
  const std::vector<EvaluatorRecord> reports{report(most_reported_examples, most, std::nullopt),
                                             report(most_reported_examples, -most, std::nullopt),
                                             report(most_reported_examples, most, std::nullopt)};
  CHECK(summarise(reports).loss.value() == doctest::Approx(largest_reported_loss / 3));
}
