#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <map>
#include <string>

#include <benchmark/benchmark.h>
#include <boost/json.hpp>

#include "common/base/error.h"
#include "common/base/files.h"

namespace {

/// Prints the medians of each benchmark's figures, one a line, and keeps them for the files.
class Figures : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& /*context*/) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      const std::string name = run.run_name.function_name;
      if (run.error_occurred) {
        std::printf("%s: %s\n", name.c_str(), run.error_message.c_str());
        failed_ = true;
      }
      if (run.error_occurred || run.aggregate_name != "median") continue;
      std::printf("%s, medians of %s runs\n", name.c_str(), std::to_string(run.repetitions).c_str());
      for (const auto& [figure, counter] : run.counters) {
        std::printf("  %-34s %s\n", figure.c_str(), text(counter.value).c_str());
        figures_[name][figure] = counter.value;
      }
    }
    std::fflush(stdout);
  }

  bool failed() const { return failed_; }

  /// FOLDER/NAME.json for each benchmark.
  void write(const std::filesystem::path& folder) const {
    for (const auto& [name, figures] : figures_) {
      boost::json::object values;
      for (const auto& [figure, value] : figures) values[figure] = value;
      const std::string content =
          boost::json::serialize(boost::json::object{{"name", name}, {"figures", values}});
      fl::write_file_atomically(folder / (name + ".json"), fl::as_bytes(content + "\n"));
    }
  }

 private:
  static std::string text(double value) {
    char digits[32];
    const char* const unit = value >= 1e9 ? " G" : value >= 1e6 ? " M" : "";
    const double shown = value >= 1e9 ? value / 1e9 : value >= 1e6 ? value / 1e6 : value;
    std::snprintf(digits, sizeof digits, "%.4g%s", shown, unit);
    return digits;
  }

  std::map<std::string, std::map<std::string, double>> figures_;
  bool failed_ = false;
};

}  // namespace

// fl_bench FOLDER [GOOGLE BENCHMARK OPTION...]
int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (count != 2) {
    std::fprintf(stderr, "usage: fl_bench FOLDER [--benchmark_filter=NAME...]\n");
    return 2;
  }
  Figures figures;
  benchmark::RunSpecifiedBenchmarks(&figures);
  benchmark::Shutdown();
  try {
    figures.write(arguments[1]);
  } catch (const fl::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return figures.failed() ? 1 : 0;
}
