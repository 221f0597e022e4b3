#include "server/ledger/schema.h"

#include <array>
#include <string>

#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include "common/base/error.h"

namespace fl::server {
namespace {

/// "FLSV": tells this program's databases from all others.
constexpr std::int64_t application_id = 0x464c5356;

// Moments are milliseconds since the Unix epoch, hashes 32 bytes. Losses are null where they were not finite.
constexpr Migration first_schema = R"sql(
CREATE TABLE devices (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  certificate_serial TEXT NOT NULL,
  enrolled INTEGER NOT NULL,
  certificate_expires INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  revoked INTEGER NOT NULL CHECK (revoked IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  secret_hash BLOB PRIMARY KEY CHECK (length(secret_hash) = 32),
  device_name TEXT NOT NULL,
  expires INTEGER NOT NULL,
  used_by TEXT REFERENCES devices (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
  name TEXT PRIMARY KEY,
  plan TEXT NOT NULL,
  contract TEXT NOT NULL,
  layout TEXT NOT NULL,
  archive_hash BLOB NOT NULL CHECK (length(archive_hash) = 32),
  archive_bytes INTEGER NOT NULL,
  created INTEGER NOT NULL
) STRICT;

CREATE TABLE versions (
  task TEXT NOT NULL REFERENCES tasks (name),
  version INTEGER NOT NULL CHECK (version >= 1),
  round INTEGER NOT NULL CHECK (round >= 0),
  manifest TEXT NOT NULL,
  signature BLOB NOT NULL CHECK (length(signature) = 64),
  weights_hash BLOB NOT NULL CHECK (length(weights_hash) = 32),
  published INTEGER NOT NULL,
  PRIMARY KEY (task, version)
) STRICT;
CREATE UNIQUE INDEX one_version_of_a_round ON versions (task, round) WHERE round > 0;

CREATE TABLE rounds (
  task TEXT NOT NULL,
  round INTEGER NOT NULL CHECK (round >= 1),
  base_version INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'committed', 'abandoned')),
  quantum REAL NOT NULL,
  opened INTEGER NOT NULL,
  deadline INTEGER NOT NULL,
  closed INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (task, round),
  FOREIGN KEY (task, base_version) REFERENCES versions (task, version)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_round ON rounds (task) WHERE state = 'open';

CREATE TABLE participants (
  task TEXT NOT NULL,
  round INTEGER NOT NULL,
  device TEXT NOT NULL REFERENCES devices (id),
  state TEXT NOT NULL CHECK (state IN ('selected', 'accepted', 'refused')),
  reason TEXT NOT NULL DEFAULT '',
  at INTEGER NOT NULL,
  update_hash BLOB CHECK (length(update_hash) = 32),
  update_bytes INTEGER NOT NULL DEFAULT 0,
  examples INTEGER NOT NULL DEFAULT 0,
  train_loss REAL,
  test_examples INTEGER NOT NULL DEFAULT 0,
  test_loss REAL,
  test_accuracy REAL,
  PRIMARY KEY (task, round, device),
  FOREIGN KEY (task, round) REFERENCES rounds (task, round)
) STRICT, WITHOUT ROWID;
)sql";

// What the strategy carries from version to version.
constexpr Migration strategy_state =
    "ALTER TABLE versions ADD COLUMN state_hash BLOB CHECK (state_hash IS NULL OR length(state_hash) = 32);";

// How an update travelled and lies in the spool, and how many steps the device trained for it.
constexpr Migration update_encoding =
    "ALTER TABLE participants ADD COLUMN encoding TEXT NOT NULL DEFAULT 'fp32';"
    "ALTER TABLE participants ADD COLUMN steps INTEGER NOT NULL DEFAULT 0;";

// What became of a device that was selected, where neither accepted nor refused says it.
constexpr Migration participant_ending =
    "ALTER TABLE participants ADD COLUMN ending TEXT NOT NULL DEFAULT ''"
    " CHECK (ending IN ('', 'declined', 'late', 'dropped', 'surplus'));";

// Versions as devices evaluate them. A sum is null where there was none, figures where nobody reported any.
constexpr Migration evaluation_tables = R"sql(
CREATE TABLE evaluations (
  task TEXT NOT NULL,
  evaluation INTEGER NOT NULL CHECK (evaluation >= 1),
  version INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'complete', 'incomplete')),
  opened INTEGER NOT NULL,
  deadline INTEGER NOT NULL,
  closed INTEGER NOT NULL,
  reason TEXT NOT NULL,
  devices INTEGER NOT NULL DEFAULT 0,
  examples INTEGER NOT NULL DEFAULT 0,
  loss REAL,
  loss_min REAL,
  loss_p10 REAL,
  loss_p50 REAL,
  loss_p90 REAL,
  loss_max REAL,
  accuracy REAL,
  accuracy_min REAL,
  accuracy_p10 REAL,
  accuracy_p50 REAL,
  accuracy_p90 REAL,
  accuracy_max REAL,
  PRIMARY KEY (task, evaluation),
  FOREIGN KEY (task, version) REFERENCES versions (task, version)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_evaluation_of_a_version ON evaluations (task, version);
CREATE UNIQUE INDEX one_open_evaluation ON evaluations (task) WHERE state = 'open';

CREATE TABLE evaluators (
  task TEXT NOT NULL,
  evaluation INTEGER NOT NULL,
  device TEXT NOT NULL REFERENCES devices (id),
  state TEXT NOT NULL CHECK (state IN ('selected', 'reported', 'refused')),
  reason TEXT NOT NULL DEFAULT '',
  at INTEGER NOT NULL,
  examples INTEGER NOT NULL DEFAULT 0,
  loss_sum REAL,
  correct REAL,
  PRIMARY KEY (task, evaluation, device),
  FOREIGN KEY (task, evaluation) REFERENCES evaluations (task, evaluation)
) STRICT, WITHOUT ROWID;
)sql";

// Versions whose blobs are not kept any more.
constexpr Migration pruned_versions =
    "ALTER TABLE versions ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0 CHECK (pruned IN (0, 1));";

// Of asynchronous tasks: in which round the work of an update was offered, and how old what it was trained
// from.
constexpr Migration update_staleness =
    "ALTER TABLE participants ADD COLUMN offered INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE participants ADD COLUMN staleness INTEGER NOT NULL DEFAULT 0;";

// What leads to a version from the one before it, where it has that.
constexpr Migration version_differences = R"sql(
CREATE TABLE differences (
  task TEXT NOT NULL,
  version INTEGER NOT NULL,
  base BLOB NOT NULL CHECK (length(base) = 32),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  bytes INTEGER NOT NULL,
  encoding TEXT NOT NULL,
  encoded INTEGER NOT NULL,
  PRIMARY KEY (task, version),
  FOREIGN KEY (task, version) REFERENCES versions (task, version)
) STRICT, WITHOUT ROWID;
)sql";

// Who may ask for predictions. The tasks stand a line each; none: all of them.
constexpr Migration inference_keys = R"sql(
CREATE TABLE inference_keys (
  name TEXT PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  tasks TEXT NOT NULL,
  per_minute INTEGER NOT NULL CHECK (per_minute >= 1),
  created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::array migrations_so_far{first_schema,       strategy_state,      update_encoding,
                                       participant_ending, evaluation_tables,   pruned_versions,
                                       update_staleness,   version_differences, inference_keys};

std::int64_t pragma(SQLite::Database& database, const char* statement) {
  return database.execAndGet(statement).getInt64();
}

bool is_empty(SQLite::Database& database) {
  return pragma(database, "SELECT count(*) FROM sqlite_schema") == 0;
}

void check_owner(SQLite::Database& database) {
  const std::int64_t owner = pragma(database, "PRAGMA application_id");
  if (owner == application_id || (owner == 0 && is_empty(database))) return;
  throw Error(ErrorCode::invalid_data, database.getFilename() +
                                           " is no ledger of fl-server but another "
                                           "program's database");
}

/// PRAGMA takes no bound parameters; the number is this program's own.
void set_pragma(SQLite::Database& database, const std::string& name, std::int64_t value) {
  database.exec("PRAGMA " + name + " = " + std::to_string(value));
}

std::int64_t known_version(SQLite::Database& database, std::span<const Migration> migrations) {
  check_owner(database);
  const std::int64_t version = pragma(database, "PRAGMA user_version");
  const auto present = static_cast<std::int64_t>(migrations.size());
  if (version >= 0 && version <= present) return version;
  throw Error(ErrorCode::invalid_data, database.getFilename() + " has schema version " +
                                           std::to_string(version) + ", this program knows versions up to " +
                                           std::to_string(present) +
                                           "; use the newer fl-server that made it");
}

}  // namespace

std::span<const Migration> ledger_migrations() {
  return migrations_so_far;
}

void migrate(SQLite::Database& database, std::span<const Migration> migrations) {
  const std::int64_t version = known_version(database, migrations);
  const auto present = static_cast<std::int64_t>(migrations.size());
  for (std::int64_t next = version; next < present; ++next) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    database.exec(migrations[static_cast<std::size_t>(next)]);
    set_pragma(database, "application_id", application_id);
    set_pragma(database, "user_version", next + 1);
    transaction.commit();
  }
}

void require_present(SQLite::Database& database, std::span<const Migration> migrations) {
  const std::int64_t version = known_version(database, migrations);
  if (version == static_cast<std::int64_t>(migrations.size())) return;
  throw Error(ErrorCode::failed_precondition,
              database.getFilename() + " has schema version " + std::to_string(version) +
                  " of an older fl-server; 'fl-server status' on its home brings it up to date");
}

}  // namespace fl::server
