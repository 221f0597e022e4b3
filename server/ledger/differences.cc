// What leads from version to version, a row for each version that has it.

#include "server/ledger/rows.h"

namespace fl::server {
namespace {

Difference read_difference(Query& row) {
  Difference difference;
  difference.base = row.digest();
  difference.hash = row.digest();
  difference.bytes = row.count();
  difference.encoding = encoding_from_name(row.text());
  difference.encoded = row.count();
  return difference;
}

}  // namespace

void insert_difference(SQLite::Database& connection, const VersionRecord& version) {
  if (!version.difference) return;
  const Difference& difference = *version.difference;
  Query(connection,
        "INSERT INTO differences (task, version, base, hash, bytes, encoding, encoded) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        version.task, version.version, difference.base, difference.hash, difference.bytes,
        std::string(name(difference.encoding)), difference.encoded)
      .run();
}

VersionRecord Ledger::with_difference(VersionRecord version) const {
  version.difference = database_->find(read_difference,
                                       "SELECT base, hash, bytes, encoding, encoded FROM differences "
                                       "WHERE task = ? AND version = ?",
                                       version.task, version.version);
  return version;
}

}  // namespace fl::server
