#include "server/ledger/database.h"

#include <algorithm>
#include <cmath>
#include <fcntl.h>
#include <limits>
#include <sqlite3.h>

#include "common/base/disk.h"
#include "server/ledger/schema.h"

namespace fl::server {
namespace {

ErrorCode code_of_constraint(int extended) {
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
      return ErrorCode::already_exists;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return ErrorCode::not_found;
    default:
      return ErrorCode::invalid_argument;
  }
}

ErrorCode code_of(const SQLite::Exception& exception) {
  switch (exception.getErrorCode() & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
      return ErrorCode::resource_exhausted;
    case SQLITE_CONSTRAINT:
      return code_of_constraint(exception.getExtendedErrorCode());
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::invalid_data;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return ErrorCode::permission_denied;
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
      return ErrorCode::unavailable;
    default:
      return ErrorCode::internal;
  }
}

}  // namespace

std::string made_private(const std::filesystem::path& path, Disk& disk) {
  disk.open(path, O_RDWR | O_CREAT, FileMode::secret);
  return path.string();
}

Error to_error(const SQLite::Exception& exception, const std::string& doing) {
  return {code_of(exception), doing + ": " + exception.what()};
}

double Query::number_or(double otherwise) {
  const SQLite::Column column = next();
  return column.isNull() ? otherwise : column.getDouble();
}

Digest Query::digest() {
  return optional_digest().value_or(Digest());
}

std::optional<Digest> Query::optional_digest() {
  const SQLite::Column column = next();
  if (column.isNull()) return std::nullopt;
  return Digest::from_bytes(
      {static_cast<const std::byte*>(column.getBlob()), static_cast<std::size_t>(column.getBytes())});
}

Signature Query::signature() {
  const SQLite::Column column = next();
  const auto* bytes = static_cast<const std::byte*>(column.getBlob());
  Signature signature{};
  std::copy_n(bytes, std::min(signature.size(), static_cast<std::size_t>(column.getBytes())),
              signature.begin());
  return signature;
}

void Query::bind(const std::optional<Digest>& value) {
  if (value) {
    bind(*value);
  } else {
    statement_.bind(++bound_);
  }
}

void Query::bind(double value) {
  if (std::isfinite(value)) {
    statement_.bind(++bound_, value);
  } else {
    statement_.bind(++bound_);
  }
}

Ledger::Database::Database(const std::filesystem::path& path, CommitObserver observer, Disk& disk)
    : vfs(std::make_unique<DiskVfs>(disk)),
      connection(guarded("opening " + path.string(),
                         [&] {
                           return SQLite::Database(made_private(path, disk), SQLite::OPEN_READWRITE,
                                                   busy_milliseconds, vfs->name());
                         })),
      on_commit(std::move(observer)) {
  guarded("opening " + path.string(), [&] {
    connection.exec("PRAGMA synchronous = FULL");
    connection.exec("PRAGMA foreign_keys = ON");
    // Before the journal's mode is set, which would already change another program's database.
    migrate(connection, ledger_migrations());
    connection.exec("PRAGMA journal_mode = WAL");
  });
}

Ledger::Database::Syncing::Syncing(Database& database, Durability durability)
    : relaxed_(durability == Durability::relaxed ? &database : nullptr) {
  if (relaxed_ != nullptr) relaxed_->connection.tryExec("PRAGMA synchronous = NORMAL");
}

Ledger::Database::Syncing::~Syncing() {
  if (relaxed_ != nullptr) relaxed_->connection.tryExec("PRAGMA synchronous = FULL");
}

Ledger::Ledger(const std::filesystem::path& path, CommitObserver on_commit, Disk& disk)
    : database_(std::make_unique<Database>(path, std::move(on_commit), disk)) {}
Ledger::Ledger(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger::~Ledger() = default;

}  // namespace fl::server
