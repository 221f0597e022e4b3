#pragma once

#include "server/care/finding.h"
#include "server/home/server_home.h"

namespace fl::server {

/// What becomes of leftovers.
enum class Leftovers : std::uint8_t { ignore, report, remove };

/// Finds what nothing refers to: blobs, drafts of blobs that a killed process had begun, spools of rounds
/// that are neither open nor kept and of tasks that there are not. Holds the home's lock meanwhile, so that
/// what a running server is about to refer to is not taken for one; where it cannot be had, that is the only
/// finding. Throws Error as the ledger or the disk fails.
void find_leftovers(const ServerHome& home, Leftovers treatment, Findings& findings);
/// The same for who holds the lock.
void find_leftovers_of_locked(const ServerHome& home, Leftovers treatment, Findings& findings);

}  // namespace fl::server
