#include "tests/unit/durability/lives.h"

#include "common/base/error.h"
#include "server/care/home_check.h"

namespace fl::test {

namespace fs = std::filesystem;
using server::Ledger;

fs::path Homes::fresh() {
  const fs::path home = empty();
  fs::copy(folder_ / "template", home, fs::copy_options::recursive);
  return home;
}

void Homes::clear() {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_.path())) {
    if (entry.path().filename() != "template") fs::remove_all(entry.path());
  }
}

void live(const fs::path& home, SimulatedDisk& disk, const RoundPlan& plan, Told& told,
          const std::function<bool()>& enough) {
  try {
    SimulatedServer server(home, disk, plan, told);
    server.run([&] { return disk.is_cut() || enough(); });
  } catch (const Error&) {
    if (!disk.is_cut()) throw;
  }
}

void live_twice(const fs::path& home, SimulatedDisk& disk, const RoundPlan& plan, Told& told) {
  live(home, disk, plan, told, [&] { return told.acknowledged.size() >= 3; });
  if (disk.is_cut()) return;
  live(home, disk, plan, told, [&] { return told.has_reached(newest_version); });
}

VersionChain versions_of(const fs::path& home) {
  VersionChain chain;
  for (const server::VersionRecord& version : Ledger::snapshot(home / "ledger.db").versions("tiny"))
    chain[version.version] = {version.weights_hash, version.state_hash};
  return chain;
}

Makings makings_of(const fs::path& home) {
  const VersionChain versions = versions_of(home);
  const Ledger ledger = Ledger::snapshot(home / "ledger.db");
  Makings makings;
  for (const server::RoundRecord& round : ledger.rounds("tiny")) {
    if (round.state != server::RoundState::committed) continue;
    std::string from = versions.at(round.base_version).weights.hex();
    for (const server::ParticipantRecord& one : ledger.participants("tiny", round.round)) {
      if (one.state != server::ParticipantState::accepted) continue;
      from += " " + one.update_hash.hex() + "-" + std::to_string(one.staleness);
    }
    makings[from] = versions.at(round.base_version + 1);
  }
  return makings;
}

std::string faults_of(const fs::path& home, bool with_leftovers) {
  const auto treatment = with_leftovers ? server::Leftovers::report : server::Leftovers::ignore;
  std::string text;
  for (const server::Finding& finding :
       server::check_home(server::ServerHome::open(home), treatment, {}).findings) {
    text += std::string(name(finding.kind)) + ": " + finding.where + ": " + finding.what + "\n";
  }
  return text;
}

std::string losses_of(const fs::path& home, const Told& told) {
  const Ledger ledger = Ledger::snapshot(home / "ledger.db");
  std::string text;
  if (told.task_added && !ledger.task("tiny")) return "the task\n";
  std::map<std::pair<std::string, std::uint64_t>, std::size_t> counted;  // by the round that offered the work
  for (const server::RoundRecord& round : ledger.rounds("tiny")) {
    for (const server::ParticipantRecord& one : ledger.participants("tiny", round.round)) {
      if (one.state == server::ParticipantState::accepted) ++counted[{one.device, one.offered}];
    }
  }
  for (const auto& [device, number] : told.acknowledged) {
    const std::size_t times = counted[{device, number}];
    if (times == 1) continue;
    text += "the update of " + device + " in round " + std::to_string(number) + " counts " +
            std::to_string(times) + " times\n";
  }
  for (const auto& [number, weights] : told.published) {
    const auto version = ledger.version("tiny", number);
    if (!version || version->weights_hash != weights) text += "version " + std::to_string(number) + "\n";
  }
  return text;
}

}  // namespace fl::test
