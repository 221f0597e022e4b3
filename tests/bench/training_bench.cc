#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "tests/bench/beside.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/support.h"

namespace {

using namespace fl;

constexpr std::int64_t steps = 100;
constexpr std::uint32_t batch = 16;

/// PyTorch that trains the same archive on as many random batches, in a process of its own.
class PyTorch {
 public:
  explicit PyTorch(ByteView archive) {
    std::ofstream(folder_ / "model.pt", std::ios::binary) << as_text(archive);
    const std::string command = FL_BENCH_PYTHON " " FL_BENCH_SCRIPT " " + (folder_ / "model.pt").string() +
                                " " + std::to_string(steps) + " " + std::to_string(batch) + " 2>/dev/null";
    process_.reset(::popen(command.c_str(), "r"));  // NOLINT(cert-env33-c): a script of our own
  }

  /// The median of five times; 0 where there is no PyTorch.
  double seconds() {
    std::array<char, 64> line{};
    if (process_ == nullptr || std::fgets(line.data(), line.size(), process_.get()) == nullptr) return 0;
    return std::stod(line.data());
  }

 private:
  struct Close {
    void operator()(FILE* process) const { ::pclose(process); }
  };

  test::TemporaryFolder folder_;
  std::unique_ptr<FILE, Close> process_;
};

/// Steps a second of the demo's model on one thread. The limit: the same in Python's PyTorch.
void training(benchmark::State& state) {
  const Bytes archive = test::engine().build({"cnn1d", {6, 50}, 5, {}, 0}, 1);
  const auto model = test::engine().open(archive, test::contract_for(Loss::cross_entropy, {6, 50}, 5));
  const Examples examples = test::two_classes({steps * batch, 6, 50}, 1);
  const TrainingPlan plan = test::plain_plan(1, batch, 0.05);
  const double python = PyTorch(archive).seconds();
  double seconds = 0;
  for ([[maybe_unused]] auto step : state) {
    auto train = [&] { model->train(examples, plan, {}, nullptr); };
    const double taken = bench::seconds_of(train);
    seconds += taken;
    state.SetIterationTime(taken);
  }
  const double done = steps * static_cast<double>(state.iterations());
  state.counters["a_second"] = done / seconds;
  state.counters["limit"] = python > 0 ? steps / python : 0;
  state.counters["of_limit"] = python > 0 ? done / seconds * python / steps : 0;
}

}  // namespace

BENCHMARK(training)->UseManualTime()->Unit(benchmark::kMillisecond);
