#include <algorithm>
#include <iterator>

#include <benchmark/benchmark.h>

namespace {

/// Of several runs of a benchmark shows the median alone; the file has all.
class Medians : public benchmark::ConsoleReporter {
 public:
  Medians() : ConsoleReporter(OO_Tabular) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> shown;
    std::copy_if(runs.begin(), runs.end(), std::back_inserter(shown),
                 [](const Run& run) { return run.error_occurred || run.aggregate_name == "median"; });
    ConsoleReporter::ReportRuns(shown);
  }
};

}  // namespace

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  Medians medians;
  benchmark::RunSpecifiedBenchmarks(&medians);
  benchmark::Shutdown();
  return 0;
}
