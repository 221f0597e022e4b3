#include "client/store/example_store.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <sqlite3.h>
#include <sys/stat.h>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "client/store/example_codec.h"
#include "client/store/subset.h"
#include "common/base/digest.h"
#include "common/base/error.h"

namespace fl::client {
namespace {

constexpr int schema_version = 1;
constexpr int busy_milliseconds = 10'000;
constexpr std::size_t largest_blob = 1'000'000'000;  // SQLite's own default limit
constexpr std::uint64_t held_out_share = 5;          // one in so many

constexpr const char* schema = R"(
CREATE TABLE examples (
  id INTEGER PRIMARY KEY,
  task TEXT NOT NULL,
  hash BLOB NOT NULL,
  held_out INTEGER NOT NULL,
  inputs BLOB NOT NULL,
  target BLOB NOT NULL
);
CREATE UNIQUE INDEX examples_by_hash ON examples (task, hash);
CREATE INDEX examples_by_side ON examples (task, held_out, id);
PRAGMA user_version = 1;
)";

ErrorCode code_of(const SQLite::Exception& error) {
  switch (error.getErrorCode()) {
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
      return ErrorCode::resource_exhausted;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::unavailable;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return ErrorCode::permission_denied;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::invalid_data;
    default:
      return ErrorCode::unavailable;
  }
}

/// Runs `work`, turning the library's errors into ours.
template <typename Work>
auto guarded(const std::filesystem::path& path, Work work) {
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    throw Error(code_of(error), "the example store " + path.string() + ": " + error.what());
  } catch (const Error& error) {
    throw error.code() == ErrorCode::invalid_data ? error.within("the example store " + path.string())
                                                  : error;
  }
}

ByteView blob_of(const SQLite::Column& column) {
  return {static_cast<const std::byte*>(column.getBlob()), static_cast<std::size_t>(column.getBytes())};
}

void bind_blob(SQLite::Statement& statement, int index, ByteView bytes) {
  if (bytes.size() > largest_blob) {
    throw Error(ErrorCode::resource_exhausted, "an example has " + std::to_string(bytes.size()) +
                                                   " bytes, at most " + std::to_string(largest_blob) +
                                                   " are kept");
  }
  statement.bindNoCopy(index, bytes.data(), static_cast<int>(bytes.size()));
}

Example example_from(ByteView inputs, ByteView target) {
  Example example{decode(inputs), {}};
  std::vector<Tensor> targets = decode(target);
  if (targets.size() != 1) throw Error(ErrorCode::invalid_data, "a stored example has no target");
  example.target = std::move(targets.front());
  return example;
}

Side side_of_encoded(ByteView inputs) {
  const Digest digest = sha256(inputs);
  std::uint64_t number = 0;
  std::memcpy(&number, digest.bytes.data(), sizeof number);
  return number % held_out_share == 0 ? Side::held_out : Side::training;
}

void prepare(SQLite::Database& database) {
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  if (database.execAndGet("PRAGMA user_version").getInt() == 0) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    // Another process may have made it while this one waited for the lock.
    if (database.execAndGet("PRAGMA user_version").getInt() == 0) database.exec(schema);
    transaction.commit();
  }
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  if (version != schema_version) {
    throw Error(ErrorCode::failed_precondition,
                "the example store has schema version " + std::to_string(version) + ", this program knows " +
                    std::to_string(schema_version) + "; use the newer program that made it");
  }
}

SQLite::Database open_database(const std::filesystem::path& path) {
  return guarded(path, [&] {
    SQLite::Database database(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, busy_milliseconds);
    ::chmod(path.c_str(), 0600);
    prepare(database);
    return database;
  });
}

}  // namespace

struct ExampleStore::State {
  explicit State(std::filesystem::path where)
      : path(std::move(where)), writer(open_database(path)), reader(open_database(path)) {}

  bool insert(const std::string& task, const Example& example) {
    const Bytes inputs = encode(example.inputs);
    const Bytes target = encode({&example.target, 1});
    Sha256 hasher;
    hasher.update(inputs);
    hasher.update(target);
    const Digest hash = hasher.finish();
    SQLite::Statement statement(writer,
                                "INSERT INTO examples (task, hash, held_out, inputs, target) "
                                "VALUES (?, ?, ?, ?, ?) ON CONFLICT (task, hash) DO NOTHING");
    statement.bind(1, task);
    bind_blob(statement, 2, hash.bytes);
    statement.bind(3, side_of_encoded(inputs) == Side::held_out ? 1 : 0);
    bind_blob(statement, 4, inputs);
    bind_blob(statement, 5, target);
    return statement.exec() > 0;
  }

  std::vector<std::int64_t> ids(const std::string& task, Side side) {
    SQLite::Statement query(reader, "SELECT id FROM examples WHERE task = ? AND held_out = ? ORDER BY id");
    query.bind(1, task);
    query.bind(2, side == Side::held_out ? 1 : 0);
    std::vector<std::int64_t> found;
    while (query.executeStep()) found.push_back(query.getColumn(0).getInt64());
    return found;
  }

  Examples fetch(const std::vector<std::int64_t>& wanted) {
    SQLite::Statement query(reader, "SELECT inputs, target FROM examples WHERE id = ?");
    ExampleStacker stacker(wanted.size());
    for (const std::int64_t id : wanted) {
      query.reset();
      query.bind(1, id);
      if (!query.executeStep()) continue;
      stacker.add(example_from(blob_of(query.getColumn(0)), blob_of(query.getColumn(1))));
    }
    return stacker.take();
  }

  std::filesystem::path path;
  std::mutex write_mutex;
  SQLite::Database writer;
  std::mutex read_mutex;
  SQLite::Database reader;  // of its own, so that reading never waits for a long import
};

Side side_of(const Example& example) {
  return side_of_encoded(encode(example.inputs));
}

ExampleStore::ExampleStore(const std::filesystem::path& path) : state_(std::make_unique<State>(path)) {}
ExampleStore::~ExampleStore() = default;
ExampleStore::ExampleStore(ExampleStore&&) noexcept = default;
ExampleStore& ExampleStore::operator=(ExampleStore&&) noexcept = default;

bool ExampleStore::add(const std::string& task, const Example& example) {
  bool given = false;
  return add_all(task, [&]() -> std::optional<Example> {
           if (std::exchange(given, true)) return std::nullopt;
           return example;
         }) == 1;
}

std::uint64_t ExampleStore::add_all(const std::string& task,
                                    const std::function<std::optional<Example>()>& next) {
  const std::lock_guard lock(state_->write_mutex);
  std::optional<SQLite::Transaction> transaction;
  guarded(state_->path, [&] { transaction.emplace(state_->writer, SQLite::TransactionBehavior::IMMEDIATE); });
  std::uint64_t fresh = 0;
  while (const std::optional<Example> example = next()) {
    fresh += guarded(state_->path, [&] { return state_->insert(task, *example); }) ? 1U : 0U;
  }
  guarded(state_->path, [&] { transaction->commit(); });
  return fresh;
}

std::uint64_t ExampleStore::count(const std::string& task, Side side) const {
  const std::lock_guard lock(state_->read_mutex);
  return guarded(state_->path, [&] {
    SQLite::Statement query(state_->reader, "SELECT count(*) FROM examples WHERE task = ? AND held_out = ?");
    query.bind(1, task);
    query.bind(2, side == Side::held_out ? 1 : 0);
    query.executeStep();
    return static_cast<std::uint64_t>(query.getColumn(0).getInt64());
  });
}

Examples ExampleStore::load(const std::string& task, Side side, std::size_t most, std::uint64_t seed) const {
  const std::lock_guard lock(state_->read_mutex);
  return guarded(state_->path, [&] {
    const std::vector<std::int64_t> all = state_->ids(task, side);
    std::vector<std::int64_t> wanted;
    for (const std::size_t index : chosen_examples(all.size(), most, seed)) wanted.push_back(all[index]);
    return state_->fetch(wanted);
  });
}

void ExampleStore::for_each_batch(const std::string& task, Side side, std::size_t batch,
                                  const std::function<bool(const Examples&)>& take) const {
  std::unique_lock lock(state_->read_mutex);
  const std::vector<std::int64_t> all = guarded(state_->path, [&] { return state_->ids(task, side); });
  for (std::size_t begin = 0; begin < all.size(); begin += batch) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto count = static_cast<std::ptrdiff_t>(std::min(batch, all.size() - begin));
    const Examples examples = guarded(state_->path, [&] { return state_->fetch({first, first + count}); });
    lock.unlock();  // judging a batch takes a while, and the app may want to add examples
    if (!take(examples)) return;
    lock.lock();
  }
}

}  // namespace fl::client
