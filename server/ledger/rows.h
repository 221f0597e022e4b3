#pragma once

#include "server/ledger/database.h"
#include "server/ledger/records.h"

/// Rows that more than one of the ledger's files reads or writes. Private to server/ledger.
namespace fl::server {

/// Adds a version within the transaction of what makes it.
void insert_version(SQLite::Database& connection, const VersionRecord& version);
/// Adds the version's difference, if it has one, after the version.
void insert_difference(SQLite::Database& connection, const VersionRecord& version);

/// The columns task, round, base_version, state, quantum, opened, deadline, closed, reason.
RoundRecord read_round(Query& row);

}  // namespace fl::server
