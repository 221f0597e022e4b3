#include <limits>

#include "common/model/layout_json.h"
#include "server/ledger/rows.h"

namespace fl::server {
namespace {

TaskRecord read_task(Query& row) {
  TaskRecord task;
  task.name = row.text();
  task.plan = plan_from_json(row.text());
  task.contract = task_contract_from_json(row.text());
  task.layout = layout_from_json(row.text());
  task.archive_hash = row.digest();
  task.archive_bytes = row.count();
  task.created = row.moment();
  return task;
}

VersionRecord read_version(Query& row) {
  VersionRecord version;
  version.task = row.text();
  version.version = row.count();
  version.round = row.count();
  version.manifest.text = row.text();
  version.manifest.signature = row.signature();
  version.weights_hash = row.digest();
  version.published = row.moment();
  version.state_hash = row.optional_digest();
  version.pruned = row.truth();
  return version;
}

void insert_task(SQLite::Database& connection, const TaskRecord& task) {
  Query(connection,
        "INSERT INTO tasks (name, plan, contract, layout, archive_hash, archive_bytes, created) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        task.name, to_json(task.plan), to_json(task.contract), to_json(task.layout), task.archive_hash,
        task.archive_bytes, task.created)
      .run();
}

}  // namespace

void insert_version(SQLite::Database& connection, const VersionRecord& version) {
  Query(
      connection,
      "INSERT INTO versions (task, version, round, manifest, signature, weights_hash, published, state_hash) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      version.task, version.version, version.round, version.manifest.text,
      ByteView(version.manifest.signature), version.weights_hash, version.published, version.state_hash)
      .run();
  insert_difference(connection, version);
}

void Ledger::add_task(const TaskRecord& task, const VersionRecord& first) {
  database_->change("adding the task '" + task.name + "'", [&] {
    if (this->task(task.name)) {
      throw Error(ErrorCode::already_exists, "there is a task '" + task.name + "' already");
    }
    insert_task(database_->connection, task);
    insert_version(database_->connection, first);
  });
}

void Ledger::add_version(const VersionRecord& version) {
  database_->change("adding a version of the task '" + version.task + "'", [&] {
    const std::uint64_t next = latest_version(version.task).version + 1;
    if (version.round != 0 || version.version != next) {
      throw Error(ErrorCode::invalid_argument,
                  "version " + std::to_string(version.version) + " of '" + version.task +
                      "' cannot be added: " + std::to_string(next) + " is the next, and of no round");
    }
    insert_version(database_->connection, version);
  });
}

std::optional<TaskRecord> Ledger::task(const std::string& name) const {
  return database_->find(
      read_task,
      "SELECT name, plan, contract, layout, archive_hash, archive_bytes, created FROM tasks WHERE name = ?",
      name);
}

std::vector<TaskRecord> Ledger::tasks() const {
  return database_->list(
      read_task,
      "SELECT name, plan, contract, layout, archive_hash, archive_bytes, created FROM tasks ORDER BY rowid");
}

VersionRecord Ledger::latest_version(const std::string& task) const {
  std::optional<VersionRecord> latest =
      database_->find(read_version,
                      "SELECT task, version, round, manifest, signature, weights_hash, published, "
                      "state_hash, pruned FROM versions "
                      "WHERE task = ? ORDER BY version DESC LIMIT 1",
                      task);
  if (!latest) throw Error(ErrorCode::not_found, "there is no task '" + task + "'");
  return with_difference(*std::move(latest));
}

std::optional<VersionRecord> Ledger::version(const std::string& task, std::uint64_t version) const {
  std::optional<VersionRecord> found = database_->find(
      read_version,
      "SELECT task, version, round, manifest, signature, weights_hash, published, state_hash, pruned "
      "FROM versions WHERE task = ? AND version = ?",
      task, version);
  if (found) found = with_difference(*std::move(found));
  return found;
}

std::vector<VersionRecord> Ledger::versions(const std::string& task) const {
  return versions(task, 0, std::numeric_limits<std::uint32_t>::max());
}

std::vector<VersionRecord> Ledger::versions(const std::string& task, std::uint64_t after,
                                            std::uint32_t limit) const {
  std::vector<VersionRecord> found = database_->list(
      read_version,
      "SELECT task, version, round, manifest, signature, weights_hash, published, state_hash, pruned "
      "FROM versions WHERE task = ? AND version > ? ORDER BY version LIMIT ?",
      task, after, limit);
  for (VersionRecord& version : found) version = with_difference(std::move(version));
  return found;
}

}  // namespace fl::server
