#pragma once

#include <cstdint>

#include "server/care/file_pieces.h"
#include "server/care/leftovers.h"
#include "server/care/record_check.h"

namespace fl::server {

/// What a check of a home has looked at, and found.
struct HomeReport {
  RecordCounts records;
  std::uint64_t files = 0;  ///< Blobs and updates that were read.
  std::uint64_t bytes = 0;  ///< What they held.
  Findings findings;

  bool has_faults() const { return has(Finding::Kind::fault); }
  bool has_losses() const { return has(Finding::Kind::loss); }

 private:
  bool has(Finding::Kind kind) const;
};

/// Looks at everything in a home that has to be whole: keys and certificates, the ledger's database, its
/// records (see check_records), every blob they refer to and every update of an open or kept round, read
/// whole and hashed, and leftovers. Changes nothing unless leftovers are to be removed, and those are left
/// alone where the ledger has faults.
///
/// A server may run in the home: the ledger is looked at as it was at one moment, and what the server has
/// done with since is not missed. Blocks, for as long as reading all blobs takes; memory does not grow with
/// their size. `watch` may be empty. Throws Error where the home cannot be looked at: permission_denied or
/// unavailable as the disk fails, failed_precondition where its ledger is of an older version.
HomeReport check_home(const ServerHome& home, Leftovers treatment, const Watch& watch);

/// How many bytes check_home() will read: what a progress is measured by; 0 where it is not known.
std::uint64_t bytes_to_check(const ServerHome& home);

}  // namespace fl::server
