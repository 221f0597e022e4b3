#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include <benchmark/benchmark.h>

#include "common/base/files.h"
#include "tests/bench/beside.h"
#include "tests/bench/echo_devices.h"
#include "tests/bench/measured_server.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

namespace {

using namespace fl;

constexpr std::uint64_t parameters = 16;  // what counts is how many updates there are
constexpr std::uint32_t devices = 256;
constexpr std::uint64_t rounds = 8;
constexpr std::size_t group = 64;
constexpr std::size_t groups = 8;

/// Records of 256 bytes a second that are written to the end of a file, each synced before the next.
double raw_appends() {
  constexpr std::size_t count = 1000;
  const test::TemporaryFolder folder;
  const FileDescriptor file = open_file(folder / "file", O_RDWR | O_CREAT | O_APPEND);
  const Bytes record(256, std::byte{7});
  const auto append = [&] {
    for (std::size_t i = 0; i < count; ++i) {
      if (::write(file.get(), record.data(), record.size()) < 0) throw_system_error(errno, "appending");
      sync_file(file, folder / "file");
    }
  };
  return count / bench::seconds_of(append);
}

std::vector<std::string> cohort() {
  std::vector<std::string> devices_of_round;
  for (std::size_t i = 0; i < group; ++i) devices_of_round.push_back("device-" + std::to_string(i));
  return devices_of_round;
}

/// Updates a second that a ledger records, so many in each transaction.
double ledger_alone(std::size_t in_a_transaction) {
  const test::TemporaryFolder folder;
  server::Ledger ledger(folder / "ledger.db");
  ledger.add_task(test::sample_task(), test::sample_version());
  const std::vector<std::string> members = cohort();
  for (const std::string& member : members) test::enrol(ledger, member);
  double seconds = 0;
  for (std::uint64_t round = 1; round <= groups; ++round) {
    ledger.begin_round(test::sample_round(round, 1), members);
    const auto record = [&] {
      for (std::size_t first = 0; first < group; first += in_a_transaction) {
        std::vector<server::ParticipantRecord> updates;
        for (std::size_t i = first; i < first + in_a_transaction; ++i) {
          updates.push_back(test::accepted_update(members[i]));
        }
        ledger.record_updates("har", round, updates);
      }
    };
    seconds += bench::seconds_of(record);
    ledger.abandon_round("har", round, test::at(900), "only measured");
  }
  return groups * group / seconds;
}

/// Updates a second that fl-server acknowledges, from the announcement of a round's first one to the
/// acknowledgement of its last one; the median of rounds.
double acknowledged(Durability durability) {
  RoundPlan plan;
  plan.goal = plan.minimum = devices;
  plan.over_selection = 1.0;
  plan.max_examples = 1000;
  plan.durability = durability;
  const bench::MeasuredServer server(parameters, plan, devices);
  std::vector<double> seconds;
  for (const bench::EchoRound& round : bench::run_echo_devices(server.fleet(), rounds + 2)) {
    seconds.push_back(round.acknowledging);
  }
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return devices / *middle;
}

/// Small updates a second through fl-server, a process of its own, from many devices at a time: announced,
/// received, checked, synced, recorded, acknowledged. Beside what the ledger alone records, and what the disk
/// takes in appends that are synced one by one.
void ledger(benchmark::State& state) {
  for ([[maybe_unused]] auto step : state) {
    const double raw = raw_appends();
    std::fprintf(stderr, "  %.0f appends a second\n", raw);
    const double alone = ledger_alone(1);
    const double grouped = ledger_alone(group);
    std::fprintf(stderr, "  the ledger alone: %.0f updates a second, %.0f in groups\n", alone, grouped);
    const double synced = acknowledged(Durability::fsync);
    const double relaxed = acknowledged(Durability::relaxed);
    std::fprintf(stderr, "  fl-server: %.0f updates a second, %.0f relaxed\n", synced, relaxed);
    state.counters["raw_appends_a_second"] = raw;
    state.counters["ledger_alone_a_second"] = alone;
    state.counters["ledger_alone_in_groups_of_64"] = grouped;
    state.counters["updates_a_second"] = synced;
    state.counters["updates_of_raw"] = synced / raw;
    state.counters["updates_a_second_relaxed"] = relaxed;
  }
}

}  // namespace

BENCHMARK(ledger)->Iterations(1)->Repetitions(3)->Unit(benchmark::kSecond);
