#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/ledger/ledger.h"

namespace fl::server {

/// A blob that a ledger refers to.
struct NeededBlob {
  std::string what;         ///< "the weights of version 3 of 'har'"; the newest where there are several.
  bool at_start = false;    ///< Without it the server does not start.
  bool on_devices = false;  ///< Devices hold it too.
  bool spare = false;       ///< Without it devices fetch the whole weights.
};

/// An update that was acknowledged and is in no version yet, or that is kept to be replayed.
struct NeededUpdate {
  std::string task;
  std::uint64_t round = 0;
  std::string device;
  Digest hash;
  std::uint64_t bytes = 0;
  std::filesystem::path path;  ///< Within the home's spool.
  bool is_committed = false;   ///< It is in a version.
};

/// The files that a ledger refers to. A few hundred bytes for each version and update, whatever their size.
struct NeededFiles {
  std::map<Digest, NeededBlob> blobs;
  std::vector<NeededUpdate> updates;
  /// Those whose updates are needed, by task, as the spool numbers them.
  std::map<std::string, std::set<std::uint64_t>> rounds;

  bool holds(const NeededUpdate& update) const;
};

/// Throws Error as the ledger does.
NeededFiles needed_files(const Ledger& ledger);

/// Calls `visit` with each version of a task, oldest first, of which only some are in memory at a time.
void for_each_version(const Ledger& ledger, const std::string& task,
                      const std::function<void(const VersionRecord&)>& visit);

}  // namespace fl::server
