#include <fcntl.h>
#include <map>
#include <sqlite3.h>
#include <utility>

#include "common/base/files.h"
#include "server/ledger/database.h"
#include "server/ledger/schema.h"

namespace fl::server {
namespace {

SQLite::Database opened(const std::filesystem::path& path, int flags) {
  return guarded("opening " + path.string(),
                 [&] { return SQLite::Database(path.string(), flags, busy_milliseconds); });
}

/// Not by OPEN_READONLY, with which SQLite leaves the schema's CHECK constraints unread, and unchecked.
SQLite::Database opened_for_reading(const std::filesystem::path& path) {
  SQLite::Database connection = opened(path, SQLite::OPEN_READWRITE);
  guarded("opening " + path.string(), [&] { connection.exec("PRAGMA query_only = ON"); });
  // What a killed process has left in the database's log stays there.
  sqlite3_db_config(connection.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return connection;
}

void add_faulty_pages(SQLite::Database& connection, std::vector<std::string>& faults) {
  Query row(connection, "PRAGMA integrity_check");
  while (row.step()) {
    if (std::string fault = row.text(); fault != "ok") faults.push_back(std::move(fault));
  }
}

void add_broken_references(SQLite::Database& connection, std::vector<std::string>& faults) {
  std::map<std::pair<std::string, std::string>, std::size_t> broken;
  Query row(connection, "SELECT \"table\", parent FROM pragma_foreign_key_check");
  while (row.step()) {
    std::string table = row.text();
    ++broken[{std::move(table), row.text()}];
  }
  for (const auto& [tables, count] : broken) {
    faults.push_back("the table " + tables.first + " refers " + std::to_string(count) +
                     " times to what is not in the table " + tables.second);
  }
}

}  // namespace

Ledger Ledger::snapshot(const std::filesystem::path& path) {
  auto database = std::make_unique<Database>(opened_for_reading(path));
  guarded("reading " + path.string(), [&] {
    database->connection.exec("BEGIN");  // from the first reading on, what others change is not seen
    require_present(database->connection, ledger_migrations());
  });
  return Ledger(std::move(database));
}

void Ledger::copy(const std::filesystem::path& path, const std::filesystem::path& target) {
  SQLite::Database connection = opened(path, SQLite::OPEN_READONLY);
  guarded("copying " + path.string() + " to " + target.string(), [&] {
    require_present(connection, ledger_migrations());
    Query(connection, "VACUUM INTO ?", made_private(target)).run();
  });
  sync_file(open_file(target, O_RDONLY), target);  // which SQLite does not
  sync_folder(target.parent_path());
}

std::vector<std::string> Ledger::faults() const {
  return guarded("checking the ledger", [&] {
    std::vector<std::string> faults;
    add_faulty_pages(database_->connection, faults);
    add_broken_references(database_->connection, faults);
    return faults;
  });
}

}  // namespace fl::server
