#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "tests/support/simulated_disk.h"
#include "tests/unit/durability/simulated_server.h"

/// Runs of rounds, one life of the server after the other, and what must hold of them.
namespace fl::test {

/// Version 1 is the task's first; each round makes one.
inline constexpr std::uint64_t newest_version = 4;

/// The hashes of a version: its weights, and what the strategy carries.
struct VersionHashes {
  Digest weights;
  std::optional<Digest> state;
  bool operator==(const VersionHashes&) const = default;
};
using VersionChain = std::map<std::uint64_t, VersionHashes>;

/// A template of a home, from which others are copied.
class Homes {
 public:
  Homes() { make_home_of_two(folder_ / "template"); }

  /// A new home, of which nothing was ever run.
  std::filesystem::path fresh();
  /// Where there is nothing yet.
  std::filesystem::path empty() { return folder_ / std::to_string(++made_); }
  /// Removes all that were made.
  void clear();

 private:
  TemporaryFolder folder_{folder_in_memory()};
  int made_ = 0;
};

/// One life, until `enough` says so or the power has gone. Throws Error as the disk has it, where it was not
/// the power.
void live(const std::filesystem::path& home, SimulatedDisk& disk, const RoundPlan& plan, Told& told,
          const std::function<bool()>& enough);

/// Two lives, to the newest version: the first ends in the middle of the second round.
void live_twice(const std::filesystem::path& home, SimulatedDisk& disk, const RoundPlan& plan, Told& told);

/// What a home's ledger says of the versions.
VersionChain versions_of(const std::filesystem::path& home);

/// What a home's rounds made: by the base version and the updates that counted, each with its staleness, the
/// version. The same updates always make the same bits (I4).
using Makings = std::map<std::string, VersionHashes>;
Makings makings_of(const std::filesystem::path& home);

/// What is wrong with a home, a line each, as fl-server fsck finds it; leftovers only where they are asked
/// for.
std::string faults_of(const std::filesystem::path& home, bool with_leftovers);

/// The acknowledged updates that do not count once in a home's ledger and the published versions that it does
/// not have, a line each.
std::string losses_of(const std::filesystem::path& home, const Told& told);

}  // namespace fl::test
