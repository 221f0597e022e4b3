#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include "common/base/error.h"
#include "server/ledger/disk_vfs.h"
#include "server/ledger/ledger.h"

/// What the ledger's files share: the connection, and how values go in and come out. Private to
/// server/ledger.
namespace fl::server {

/// For how long a statement waits for another process that has the database.
constexpr int busy_milliseconds = 5000;

/// Makes an empty database before SQLite does, so that from the start only its owner may read it; returns its
/// path as SQLite takes it.
std::string made_private(const std::filesystem::path& path, Disk& disk = system_disk());

/// A failure of SQLite's as an Error: full disk, failing disk, broken constraint and so on.
Error to_error(const SQLite::Exception& exception, const std::string& doing);

/// Runs `action`; a failure of SQLite's becomes an Error whose sentence begins with `doing`.
template <typename Action>
auto guarded(const std::string& doing, Action action) {
  try {
    return action();
  } catch (const SQLite::Exception& exception) {
    throw to_error(exception, doing);
  }
}

/// A statement whose parameters are bound from values of ours, in their order.
class Query {
 public:
  template <typename... Values>
  Query(SQLite::Database& database, const char* sql, const Values&... values) : statement_(database, sql) {
    (bind(values), ...);
  }

  /// The next row; false after the last.
  bool step() {
    column_ = 0;
    return statement_.executeStep();
  }
  /// Runs a statement that gives no rows; returns how many rows it changed.
  int run() { return statement_.exec(); }

  // The columns of the row, from the left, one call a column.
  std::string text() { return next().getString(); }
  std::uint64_t count() { return static_cast<std::uint64_t>(next().getInt64()); }
  std::uint32_t count32() { return static_cast<std::uint32_t>(next().getInt64()); }
  double number() { return next().getDouble(); }
  /// NaN, or `otherwise`, for null.
  double number_or(double otherwise);
  Timestamp moment() { return Timestamp(Milliseconds(next().getInt64())); }
  bool truth() { return next().getInt() != 0; }
  /// Zeros for null.
  Digest digest();
  std::optional<Digest> optional_digest();
  Signature signature();

 private:
  SQLite::Column next() { return statement_.getColumn(column_++); }

  void bind(const std::string& value) { statement_.bind(++bound_, value); }
  void bind(const char* value) { statement_.bind(++bound_, value); }
  void bind(std::uint64_t value) { statement_.bind(++bound_, static_cast<std::int64_t>(value)); }
  void bind(std::uint32_t value) { statement_.bind(++bound_, value); }
  void bind(bool value) { statement_.bind(++bound_, value ? 1 : 0); }
  void bind(Timestamp value) { statement_.bind(++bound_, std::int64_t{value.time_since_epoch().count()}); }
  void bind(ByteView value) { statement_.bind(++bound_, value.data(), static_cast<int>(value.size())); }
  void bind(const Digest& value) { bind(ByteView(value.bytes)); }
  void bind(const std::optional<Digest>& value);
  void bind(double value);

  SQLite::Statement statement_;
  int bound_ = 0;
  int column_ = 0;
};

struct Ledger::Database {
  Database(const std::filesystem::path& path, CommitObserver observer, Disk& disk);
  explicit Database(SQLite::Database&& opened) : connection(std::move(opened)) {}

  /// How transactions are synced while it lives; those that are not may be lost with the machine, the latest
  /// first.
  class Syncing {
   public:
    Syncing(Database& database, Durability durability);
    Syncing(const Syncing&) = delete;
    Syncing& operator=(const Syncing&) = delete;
    ~Syncing();

   private:
    Database* relaxed_;
  };

  /// Runs `action` in one transaction that is on the disk when this returns, or not at all.
  template <typename Action>
  auto change(const std::string& doing, Action action) {
    return guarded(doing, [&] {
      const Stopwatch stopwatch;
      SQLite::Transaction transaction(connection, SQLite::TransactionBehavior::IMMEDIATE);
      if constexpr (std::is_void_v<decltype(action())>) {
        action();
        transaction.commit();
        if (on_commit) on_commit(stopwatch.passed());
      } else {
        auto result = action();
        transaction.commit();
        if (on_commit) on_commit(stopwatch.passed());
        return result;
      }
    });
  }

  /// Runs a query and makes a record of each row.
  template <typename Record, typename... Values>
  std::vector<Record> list(Record (*read)(Query&), const char* sql, const Values&... values) {
    return guarded("reading the ledger", [&] {
      std::vector<Record> records;
      Query query(connection, sql, values...);
      while (query.step()) records.push_back(read(query));
      return records;
    });
  }

  /// The same for at most one row.
  template <typename Record, typename... Values>
  std::optional<Record> find(Record (*read)(Query&), const char* sql, const Values&... values) {
    std::vector<Record> records = list(read, sql, values...);
    if (records.empty()) return std::nullopt;
    return std::move(records.front());
  }

  std::unique_ptr<DiskVfs> vfs;  ///< None where the connection only reads.
  SQLite::Database connection;
  CommitObserver on_commit;
};

}  // namespace fl::server
