#pragma once

#include <cstdint>
#include <span>

#include <SQLiteCpp/Database.h>

/// The database's form and its history. Private to server/ledger.
namespace fl::server {

/// One step of the schema's history: SQL that makes of version N the version N + 1, N being its place in the
/// list.
using Migration = const char*;

/// Every step from an empty database on; their number is the present version.
std::span<const Migration> ledger_migrations();

/// Brings a database to the version that has all `migrations` behind it, each step in one transaction.
/// Throws Error(invalid_data) where it is another program's database or has a newer version.
void migrate(SQLite::Database& database, std::span<const Migration> migrations);

/// For who may not migrate: throws Error as migrate() does, and failed_precondition where migrations are
/// missing.
void require_present(SQLite::Database& database, std::span<const Migration> migrations);

}  // namespace fl::server
