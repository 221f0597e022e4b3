#pragma once

#include <filesystem>

#include "server/care/home_check.h"

namespace fl::server {

/// Makes a consistent copy of a home at `target`, where nothing is yet but perhaps an empty folder: settings,
/// keys and certificates with their permissions, the ledger as it is at one moment, and the blobs and the
/// updates of open and of kept rounds that this ledger refers to. A server may run in the home: it is neither
/// stopped nor slowed, and what it does after that moment is not in the copy.
///
/// The copy grows in TARGET.part and becomes `target` when all of it has been checked (see check_home); what
/// it was found to hold is returned. One that is interrupted or fails leaves TARGET.part, and the next goes
/// on with the blobs that are there. Blocks; reads twice bytes_to_check(home), of which `watch` is told.
///
/// What was lost or damaged before and nothing waits for (Finding::Kind::loss) is left out, and is in the
/// report. Throws Error: already_exists; invalid_argument where `target` is within the home; invalid_data
/// naming a file of the home that is needed and lost or damaged; failed_precondition where another process
/// makes the same copy; unavailable where rounds are closed and versions pruned faster than they can be read;
/// resource_exhausted where the disk is full.
HomeReport copy_home(const ServerHome& home, const std::filesystem::path& target, const Watch& watch);

/// Makes a home of a backup, that is of a home that copy_home() has made: checks the backup, copies it as
/// copy_home() does, and checks the copy. Reads three times bytes_to_check(backup). Throws Error as
/// copy_home(), and invalid_data where the backup has a fault.
HomeReport restore_home(const ServerHome& backup, const std::filesystem::path& target, const Watch& watch);

}  // namespace fl::server
