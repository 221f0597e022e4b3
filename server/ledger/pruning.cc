#include <algorithm>
#include <string>

#include "server/ledger/rows.h"

namespace fl::server {
namespace {

constexpr std::uint64_t every_row = std::uint64_t{1} << 62U;

std::uint64_t read_number(Query& row) {
  return row.count();
}

Digest read_digest(Query& row) {
  return row.digest();
}

}  // namespace

std::vector<std::uint64_t> Ledger::committed_rounds(const std::string& task, const KeepCount& keep) const {
  return database_->list(
      read_number,
      "SELECT round FROM rounds WHERE task = ? AND state = 'committed' ORDER BY round DESC LIMIT ?", task,
      keep.newest.value_or(every_row));
}

std::optional<std::uint64_t> Ledger::prune_versions(const std::string& task, const KeepCount& keep,
                                                    const KeepCount& keep_updates) {
  if (!keep.newest) return std::nullopt;
  constexpr const char* condition =
      " FROM versions WHERE task = ?1 AND pruned = 0 AND version <= "
      "(SELECT max(version) FROM versions WHERE task = ?1) - ?2 AND version NOT IN "
      "(SELECT base_version FROM rounds WHERE task = ?1 AND state = 'open') AND version NOT IN "
      "(SELECT base_version FROM rounds WHERE task = ?1 AND state = 'committed' ORDER BY round DESC LIMIT "
      "?3)";
  const std::vector<std::uint64_t> older = database_->list(
      read_number, (std::string("SELECT version") + condition + " ORDER BY version").c_str(), task,
      std::max<std::uint64_t>(*keep.newest, 1), keep_updates.newest.value_or(every_row));
  if (older.empty()) return std::nullopt;
  database_->change("pruning versions of the task '" + task + "'", [&] {
    for (const std::uint64_t version : older) {
      Query(database_->connection, "UPDATE versions SET pruned = 1 WHERE task = ? AND version = ?", task,
            version)
          .run();
    }
  });
  return older.front();
}

std::vector<Digest> Ledger::unneeded_blobs(const std::string& task, std::uint64_t from) const {
  return database_->list(
      read_digest,
      "SELECT hash FROM (SELECT weights_hash AS hash FROM versions WHERE task = ?1 AND pruned = 1 AND "
      "version >= ?2 UNION SELECT state_hash FROM versions WHERE task = ?1 AND pruned = 1 AND version >= ?2 "
      "AND state_hash IS NOT NULL UNION SELECT d.hash FROM differences d JOIN versions v "
      "USING (task, version) WHERE task = ?1 AND v.pruned = 1 AND version >= ?2) "
      "WHERE hash NOT IN (SELECT weights_hash FROM versions WHERE pruned = 0) "
      "AND hash NOT IN (SELECT state_hash FROM versions WHERE pruned = 0 AND state_hash IS NOT NULL) "
      "AND hash NOT IN (SELECT d.hash FROM differences d JOIN versions v USING (task, version) "
      "WHERE v.pruned = 0) AND hash NOT IN (SELECT archive_hash FROM tasks)",
      task, from);
}

}  // namespace fl::server
