#include "server/ledger/database.h"

namespace fl::server {
namespace {

InferenceKeyRecord read_key(Query& row) {
  InferenceKeyRecord key;
  key.name = row.text();
  key.hash = row.digest();
  const std::string tasks = row.text();
  for (std::size_t at = 0; at < tasks.size();) {
    const std::size_t end = tasks.find('\n', at);
    key.tasks.push_back(tasks.substr(at, end - at));
    at = end + 1;
  }
  key.per_minute = row.count32();
  key.created = row.moment();
  return key;
}

}  // namespace

void Ledger::add_inference_key(const InferenceKeyRecord& key) {
  std::string tasks;
  for (const std::string& task : key.tasks) tasks += task + "\n";
  database_->change("adding the key '" + key.name + "'", [&] {
    Query(database_->connection,
          "INSERT INTO inference_keys (name, hash, tasks, per_minute, created) VALUES (?, ?, ?, ?, ?)",
          key.name, key.hash, tasks, key.per_minute, key.created)
        .run();
  });
}

void Ledger::remove_inference_key(const std::string& name) {
  database_->change("removing the key '" + name + "'", [&] {
    const int rows = Query(database_->connection, "DELETE FROM inference_keys WHERE name = ?", name).run();
    if (rows == 0) throw Error(ErrorCode::not_found, "there is no key '" + name + "'");
  });
}

std::vector<InferenceKeyRecord> Ledger::inference_keys() const {
  return database_->list(read_key,
                         "SELECT name, hash, tasks, per_minute, created FROM inference_keys ORDER BY name");
}

}  // namespace fl::server
