#include "client/learning/gate.h"

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/random.h"

using namespace fl;
using namespace fl::client;

namespace {

const Gate gate;

/// The share of 2,000 made-up comparisons of `examples` pairs that end with `verdict`, the challenger being
/// right alone, and the champion, with these chances.
double share_of(Verdict verdict, std::uint64_t examples, double only_challenger, double only_champion) {
  constexpr int runs = 2000;
  Random random(7);
  int count = 0;
  for (int run = 0; run < runs; ++run) {
    AnswersCompared compared{examples, 0, 0};
    for (std::uint64_t i = 0; i < examples; ++i) {
      const double draw = random.uniform();
      if (draw < only_challenger) {
        ++compared.only_challenger;
      } else if (draw < only_challenger + only_champion) {
        ++compared.only_champion;
      }
    }
    count += gate.judge(compared) == verdict ? 1 : 0;
  }
  return static_cast<double>(count) / runs;
}

}  // namespace

TEST_CASE("the bounds of a gain in accuracy are those of Agresti and Min") {
  // By hand: 100 pairs, 15 won, 5 lost. (15.5 - 5.5) / 102 = 0.0980; variance (21 - 100/102) / 102^2.
  const Bounds bounds = accuracy_gain({100, 15, 5}, 0.95);
  const double reach = 1.6448536269514722 * std::sqrt(21.0 - 100.0 / 102.0) / 102.0;
  CHECK(bounds.lower == doctest::Approx(10.0 / 102.0 - reach).epsilon(1e-12));
  CHECK(bounds.upper == doctest::Approx(10.0 / 102.0 + reach).epsilon(1e-12));
}

TEST_CASE("the bounds of a gain in loss are those of Student's t") {
  // By hand: mean 2.5, standard deviation 1.2910, 3 degrees of freedom, t(0.95) = 2.353363.
  const std::vector<double> gains = {1, 2, 3, 4};
  const Bounds bounds = loss_gain(gains, 0.95);
  const double reach = 2.3533634348018264 * std::sqrt(5.0 / 3.0) / 2.0;
  CHECK(bounds.lower == doctest::Approx(2.5 - reach).epsilon(1e-12));
  CHECK(bounds.upper == doctest::Approx(2.5 + reach).epsilon(1e-12));
}

TEST_CASE("a better challenger is accepted and a worse one rejected and one like the champion neither") {
  CHECK(gate.judge(AnswersCompared{100, 15, 3}) == Verdict::accept);
  CHECK(gate.judge(AnswersCompared{100, 3, 15}) == Verdict::reject);
  CHECK(gate.judge(AnswersCompared{100, 8, 8}) == Verdict::abstain);
  CHECK(gate.judge(AnswersCompared{100, 0, 0}) == Verdict::abstain);
}

TEST_CASE("on thin data the gate abstains whatever it shows") {
  CHECK(gate.judge(AnswersCompared{29, 29, 0}) == Verdict::abstain);
  CHECK(gate.judge(AnswersCompared{30, 30, 0}) == Verdict::accept);
  CHECK(gate.judge(std::vector<double>(29, 1.0)) == Verdict::abstain);
  CHECK(gate.judge(std::vector<double>()) == Verdict::abstain);
}

TEST_CASE("of challengers no better than the champion one in twenty or fewer is accepted") {
  for (const std::uint64_t examples : {30U, 100U, 400U}) {
    for (const double discordant : {0.02, 0.1, 0.3}) {
      CAPTURE(examples);
      CAPTURE(discordant);
      CHECK(share_of(Verdict::accept, examples, discordant / 2, discordant / 2) <= 0.06);
    }
  }
}

TEST_CASE("a challenger that is ten points better is mostly accepted with three hundred examples") {
  CHECK(share_of(Verdict::accept, 300, 0.15, 0.05) > 0.95);
  CHECK(share_of(Verdict::reject, 300, 0.05, 0.15) > 0.95);
}

TEST_CASE("what the gate tolerates is taken where the champion is surely not better than by that") {
  Gate lenient;
  lenient.tolerance = 0.02;
  CHECK(lenient.judge(AnswersCompared{400, 0, 0}) == Verdict::accept);
  CHECK(lenient.judge(AnswersCompared{400, 2, 30}) == Verdict::reject);
}

TEST_CASE("losses that are not finite decide nothing") {
  std::vector<double> gains(40, 1.0);
  gains[3] = std::numeric_limits<double>::quiet_NaN();
  CHECK(gate.judge(gains) == Verdict::abstain);
}
