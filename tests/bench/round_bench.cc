#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <benchmark/benchmark.h>

#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/files.h"
#include "server/strategy/exact_fold.h"
#include "tests/bench/bare_tls.h"
#include "tests/bench/beside.h"
#include "tests/bench/echo_devices.h"
#include "tests/bench/measured_server.h"

namespace {

using namespace fl;

constexpr const char* usual_sizes = "0.1Mx50,0.2Mx100,1Mx10,10Mx10,100Mx6";

struct Size {
  std::string name;
  std::uint64_t parameters;
  std::uint32_t devices;

  /// Of its rounds, those that are measured.
  std::uint64_t rounds() const {
    return std::clamp<std::uint64_t>(500'000'000 / (parameters * devices), 3, 20);
  }
};

/// Of "0.1Mx50,10Mx10": millions of parameters, and devices.
std::vector<Size> sizes_from(const std::string& list) {
  std::vector<Size> sizes;
  std::istringstream names(list);
  for (std::string name; std::getline(names, name, ',');) {
    std::istringstream text(name);
    double millions = 0;
    char unit = 0;
    char times = 0;
    std::uint32_t devices = 0;
    text >> millions >> unit >> times >> devices;
    if (!text || !text.eof() || unit != 'M' || times != 'x' || millions < 1e-6 || devices == 0) {
      throw Error(ErrorCode::invalid_argument,
                  "FL_BENCH_SIZES: '" + name + "' is no size such as 0.1Mx50, of parameters and devices");
    }
    sizes.push_back({name, static_cast<std::uint64_t>(std::llround(millions * 1e6)), devices});
  }
  return sizes;
}

template <typename Work>
double rate_of(double amount, Work work) {
  return amount / fl::bench::seconds_of(work);
}

/// Bytes a second through OpenSSL alone, a core at each end.
double tls_rate() {
  constexpr std::size_t total = std::size_t{512} << 20U;
  const test::Fleet fleet;
  fl::bench::BareTls bare(fleet);
  const Bytes chunk(std::size_t{256} << 10U);
  return rate_of(static_cast<double>(total), [&] { bare.send_across_threads(chunk, total); });
}

/// Elements of updates a second that one core adds up.
double fold_rate() {
  using namespace fl::server;
  constexpr std::size_t elements = 1'000'000;
  constexpr std::size_t tile = std::size_t{8} << 10U;
  constexpr int passes = 10;
  ExactFold fold(elements, fold_quantum(100, 100, 1.0F), 1.0F);
  const std::vector<std::vector<float>> deltas(widest_pass, std::vector<float>(elements, 0.001F));
  const auto pass = [&] {
    for (std::size_t first = 0; first < elements; first += tile) {
      std::vector<WeightedDelta> part;
      for (const std::vector<float>& delta : deltas) part.push_back({delta.data() + first, 1});
      benchmark::DoNotOptimize(fold.add(first, std::min(tile, elements - first), part));
    }
  };
  return rate_of(static_cast<double>(elements * widest_pass) * passes, [&] {
    for (int i = 0; i < passes; ++i) pass();
  });
}

/// Bytes a second of one file that is written and then synced.
double disk_rate() {
  constexpr std::size_t total = std::size_t{128} << 20U;
  const test::TemporaryFolder folder;
  const FileDescriptor file = open_file(folder / "file", O_RDWR | O_CREAT);
  const Bytes chunk(std::size_t{1} << 20U, std::byte{7});
  return rate_of(static_cast<double>(total), [&] {
    for (std::size_t written = 0; written < total; written += chunk.size()) {
      if (::write(file.get(), chunk.data(), chunk.size()) < 0) throw_system_error(errno, "writing");
    }
    sync_file(file, folder / "file");
  });
}

/// Bytes that one core hashes a second.
double hash_rate() {
  const Bytes bytes(std::size_t{64} << 20U, std::byte{7});
  return rate_of(static_cast<double>(bytes.size()), [&] { benchmark::DoNotOptimize(sha256(bytes)); });
}

/// What the protocol has hashed of a round besides: each version by the device that gets it, each update by
/// its device and by the server.
double hash_seconds(const Size& size, double hash) {
  const double bytes = static_cast<double>(size.parameters) * size.devices * sizeof(float);
  return 3 * bytes / hash / std::max(1U, std::thread::hardware_concurrency());
}

/// What a round takes at least: each byte is encrypted and decrypted on its way down and on its way up, and
/// each element added.
double least_seconds(const Size& size, double tls, double fold) {
  const double elements = static_cast<double>(size.parameters) * size.devices;
  const double cores = std::max(1U, std::thread::hardware_concurrency());
  return (4 * elements * sizeof(float) / tls + elements / fold) / cores;
}

struct Measured {
  double seconds;
  double bytes;
};

Measured measure(const Size& size, Durability durability, Encoding encoding = Encoding::fp32) {
  RoundPlan plan;
  plan.encoding = encoding;
  plan.goal = plan.minimum = size.devices;
  plan.over_selection = 1.0;
  plan.max_examples = 1000;
  plan.durability = durability;
  const fl::bench::MeasuredServer server(size.parameters, plan, size.devices);
  std::vector<double> seconds;
  for (const auto& round : fl::bench::run_echo_devices(server.fleet(), size.rounds() + 2))
    seconds.push_back(round.seconds);
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return {*middle, static_cast<double>(server.peak_bytes_over_idle())};
}

/// Whole rounds of fl-server, a process of its own, with devices that do not train. Medians of rounds; the
/// limit is what TLS and the fold alone would take, measured in the same run.
void round(benchmark::State& state) {
  const char* const asked = std::getenv("FL_BENCH_SIZES");
  const std::vector<Size> sizes = sizes_from(asked == nullptr ? usual_sizes : asked);
  for ([[maybe_unused]] auto step : state) {
    const double tls = tls_rate();
    const double fold = fold_rate();
    const double disk = disk_rate();
    const double hash = hash_rate();
    state.counters["hash_bytes_a_second"] = hash;
    state.counters["tls_bytes_a_second"] = tls;
    state.counters["fold_elements_a_second"] = fold;
    state.counters["disk_bytes_a_second"] = disk;
    for (const Size& size : sizes) {
      const std::string& name = size.name;
      const Measured relaxed = measure(size, Durability::relaxed);
      const Measured synced = measure(size, Durability::fsync);
      const Measured small = measure(size, Durability::relaxed, Encoding::int8);
      std::fprintf(stderr, "  %s: %.3f s a round, %.3f s with fsync, %.3f s with int8\n", name.c_str(),
                   relaxed.seconds, synced.seconds, small.seconds);
      state.counters["seconds_" + name] = relaxed.seconds;
      state.counters["seconds_fsync_" + name] = synced.seconds;
      state.counters["seconds_int8_" + name] = small.seconds;
      const double least = least_seconds(size, tls, fold);
      state.counters["ratio_to_limit_" + name] = relaxed.seconds / least;
      state.counters["ratio_with_hashes_" + name] = relaxed.seconds / (least + hash_seconds(size, hash));
      state.counters["megabytes_" + name] = relaxed.bytes / 1e6;
      state.counters["models_" + name] = relaxed.bytes / static_cast<double>(size.parameters * sizeof(float));
    }
  }
}

}  // namespace

BENCHMARK(round)->Iterations(1)->Repetitions(3)->Unit(benchmark::kSecond);
