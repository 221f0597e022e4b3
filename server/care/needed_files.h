#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "server/ledger/ledger.h"

namespace fl::server {

/// A blob that a ledger refers to.
struct NeededBlob {
  std::string what;         ///< "the weights of version 3 of 'har'"; the newest where there are several.
  bool at_start = false;    ///< Without it the server does not start.
  bool on_devices = false;  ///< Devices hold it too.
};

/// An update that was acknowledged and is in no version yet.
struct NeededUpdate {
  std::string task;
  std::uint64_t round = 0;
  std::string device;
  Digest hash;
  std::uint64_t bytes = 0;
  std::filesystem::path path;  ///< Within the home's spool.
};

/// The files that a ledger refers to. A few hundred bytes for each version and update, whatever their size.
struct NeededFiles {
  std::map<Digest, NeededBlob> blobs;
  std::vector<NeededUpdate> updates;
  std::map<std::string, std::uint64_t> open_rounds;  ///< By task.
};

/// Throws Error as the ledger does.
NeededFiles needed_files(const Ledger& ledger);

/// Calls `visit` with each version of a task, oldest first, of which only some are in memory at a time.
void for_each_version(const Ledger& ledger, const std::string& task,
                      const std::function<void(const VersionRecord&)>& visit);

}  // namespace fl::server
