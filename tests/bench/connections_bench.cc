#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/resource.h>

#include <benchmark/benchmark.h>

#include "tests/bench/bare_tls.h"
#include "tests/bench/beside.h"
#include "tests/bench/idle_devices.h"
#include "tests/bench/measured_server.h"

namespace {

using namespace fl;

constexpr std::uint64_t parameters = 250'000;  // a version of 1 MB
constexpr std::size_t bare_handshakes = 4000;

/// As many as FL_BENCH_DEVICES says.
std::uint32_t device_count() {
  const char* const asked = std::getenv("FL_BENCH_DEVICES");
  return asked == nullptr ? 10'000 : static_cast<std::uint32_t>(std::max(1, std::atoi(asked)));
}

/// Raises the number of files that this process may have open to the most there can be, and returns that.
rlim_t most_open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

/// Bytes a second through OpenSSL alone, a core at each end.
double tls_rate(const test::Fleet& fleet) {
  constexpr std::size_t total = std::size_t{512} << 20U;
  bench::BareTls bare(fleet);
  const Bytes chunk(std::size_t{256} << 10U);
  const auto send = [&] { bare.send_across_threads(chunk, total); };
  return static_cast<double>(total) / bench::seconds_of(send);
}

RoundPlan plan_of_one_device() {
  RoundPlan plan;
  plan.goal = plan.minimum = 1;
  plan.over_selection = 1.0;
  plan.max_examples = 1000;
  return plan;
}

void measure(benchmark::State& state, std::uint32_t count) {
  const test::Fleet fleet;
  const double openssl = bench::bare_handshakes_a_second(fleet, bare_handshakes);
  const double tls = tls_rate(fleet);
  const bench::MeasuredServer server(parameters, plan_of_one_device(), count);
  bench::IdleDevices devices(server.fleet());
  const double full = count / devices.connect("connecting by whole handshakes");
  const double idle_bytes = static_cast<double>(server.bytes_over_idle());
  const bench::IdleDevices::Push push = devices.push_version();
  const double later_bytes = static_cast<double>(server.bytes_over_idle());
  devices.disconnect();
  const double resumed = count / devices.connect("connecting by tickets");
  const double push_limit = static_cast<double>(parameters * sizeof(float)) * count / tls;
  state.counters["devices"] = count;
  state.counters["bytes_per_connection"] = idle_bytes / count;
  state.counters["bytes_per_connection_after_push"] = later_bytes / count;
  state.counters["openssl_handshakes_a_second"] = openssl;
  state.counters["full_handshakes_a_second"] = full;
  state.counters["full_handshakes_of_openssl"] = full / openssl;
  state.counters["resumed_handshakes_a_second"] = resumed;
  state.counters["resumed_to_full"] = resumed / full;
  state.counters["tls_bytes_a_second"] = tls;
  state.counters["push_heard_seconds"] = push.heard;
  state.counters["push_seconds"] = push.fetched;
  state.counters["push_limit_seconds"] = push_limit;
  state.counters["push_ratio_to_limit"] = push.fetched / push_limit;
}

/// Thousands of devices that are connected to fl-server, a process of its own, and wait: the memory that one
/// takes there; how many a second come, by whole handshakes and by tickets, with hello and subscription,
/// beside the handshakes of OpenSSL alone; how long a version takes to all of them, beside TLS alone.
void connections(benchmark::State& state) {
  const std::uint32_t count = device_count();
  const rlim_t files = most_open_files();
  for ([[maybe_unused]] auto step : state) {
    if (files < count + 200) {
      const std::string why = "the system allows a process " + std::to_string(files) +
                              " open files, too few for " + std::to_string(count) +
                              " devices; set FL_BENCH_DEVICES to fewer";
      state.SkipWithError(why.c_str());
      break;
    }
    measure(state, count);
  }
}

}  // namespace

BENCHMARK(connections)->Iterations(1)->Repetitions(3)->Unit(benchmark::kSecond);
