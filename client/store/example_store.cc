#include "client/store/example_store.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <span>
#include <sqlite3.h>
#include <string_view>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "client/store/example_codec.h"
#include "client/store/subset.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/files.h"

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

void require_schema(int version) {
  if (version == schema_version) return;
  throw Error(ErrorCode::failed_precondition,
              "the example store has schema version " + std::to_string(version) + ", this program knows " +
                  std::to_string(schema_version) + "; use the newer program that made it");
}

void prepare(SQLite::Database& database) {
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  if (database.execAndGet("PRAGMA user_version").getInt() == 0) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    // Another process may have made it while this one waited for the lock.
    if (database.execAndGet("PRAGMA user_version").getInt() == 0) database.exec(schema);
    transaction.commit();
  }
  require_schema(database.execAndGet("PRAGMA user_version").getInt());
}

/// The file is made here and not by SQLite, so that from the start only its owner may read it.
SQLite::Database open_to_write(const std::filesystem::path& path) {
  open_file(path, O_RDWR | O_CREAT, FileMode::secret);
  SQLite::Database database(path.string(), SQLite::OPEN_READWRITE, busy_milliseconds);
  prepare(database);
  return database;
}

std::string uri_of(const std::filesystem::path& path) {
  std::string uri = "file:";
  for (const char c : path.string()) {
    const std::size_t special = std::string_view("%?#").find(c);
    uri += special == std::string_view::npos ? std::string(1, c) : std::array{"%25", "%3f", "%23"}[special];
  }
  return uri;
}

/// Whether examples may lie in SQLite's log that are not in the file itself yet.
bool has_log(const std::filesystem::path& path) {
  std::error_code none;
  const std::uintmax_t bytes = std::filesystem::file_size(path.string() + "-wal", none);
  return !none && bytes > 0;
}

/// A connection to read by, and whether it sees what is added later.
struct Reader {
  SQLite::Database database;
  bool lasting = true;
  int version = 0;
};

Reader opened_to_read(const std::string& name, int flags, bool lasting) {
  SQLite::Database database(name, SQLite::OPEN_READONLY | flags, busy_milliseconds);
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  return {std::move(database), lasting, version};
}

/// Even to read, SQLite makes a file beside the database; where that cannot be, the database is read as it
/// is.
Reader open_to_read(const std::filesystem::path& path) {
  try {
    return opened_to_read(path.string(), 0, true);
  } catch (const SQLite::Exception&) {
    if (has_log(path)) throw;
  }
  return opened_to_read(uri_of(path) + "?immutable=1", SQLite::OPEN_URI, false);
}

std::string form_of(std::span<const Tensor> tensors) {
  std::string text;
  for (const Tensor& tensor : tensors) {
    text += (text.empty() ? "" : ", ") + std::string(name(tensor.datatype)) + " " + describe(tensor.shape);
  }
  return text;
}

std::string form_of(const Example& example) {
  return "inputs " + form_of(example.inputs) + " and target " + form_of({&example.target, 1});
}

[[noreturn]] void refuse_form(const std::string& own, const std::string& others) {
  throw Error(ErrorCode::invalid_argument, "an example has " + own + ", those of its task on this device " +
                                               others + "; they are trained on together and must be alike");
}

}  // namespace

struct ExampleStore::State {
  explicit State(std::filesystem::path where) : path(std::move(where)) {}

  SQLite::Database& to_write() {
    if (!writer) writer.emplace(open_to_write(path));
    return *writer;
  }

  /// A connection that cannot write now is made anew the next time: the disk may be another then.
  void begin(std::optional<SQLite::Transaction>& transaction) {
    try {
      transaction.emplace(to_write(), SQLite::TransactionBehavior::IMMEDIATE);
    } catch (...) {
      writer.reset();
      throw;
    }
  }

  /// Null where no example was ever kept.
  SQLite::Database* to_read() {
    if (reader && reader->lasting) return &reader->database;
    reader.reset();
    if (std::error_code none; !std::filesystem::exists(path, none)) return nullptr;
    Reader opened = open_to_read(path);
    if (opened.version == 0) return nullptr;  // another process is making it
    require_schema(opened.version);
    reader.emplace(std::move(opened));
    return &reader->database;
  }

  /// How the task's examples are that are there; "" where there are none.
  std::string form_there(const std::string& task) {
    SQLite::Statement query(to_write(), "SELECT inputs, target FROM examples WHERE task = ? LIMIT 1");
    query.bind(1, task);
    if (!query.executeStep()) return "";
    return form_of(example_from(blob_of(query.getColumn(0)), blob_of(query.getColumn(1))));
  }

  bool insert(const std::string& task, const Example& example) {
    const Bytes inputs = encode(example.inputs);
    const Bytes target = encode({&example.target, 1});
    Sha256 hasher;
    hasher.update(inputs);
    hasher.update(target);
    const Digest hash = hasher.finish();
    SQLite::Statement statement(to_write(),
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
    SQLite::Database* database = to_read();
    if (database == nullptr) return {};
    SQLite::Statement query(*database, "SELECT id FROM examples WHERE task = ? AND held_out = ? ORDER BY id");
    query.bind(1, task);
    query.bind(2, side == Side::held_out ? 1 : 0);
    std::vector<std::int64_t> found;
    while (query.executeStep()) found.push_back(query.getColumn(0).getInt64());
    return found;
  }

  Examples fetch(const std::vector<std::int64_t>& wanted) {
    SQLite::Database* database = wanted.empty() ? nullptr : to_read();
    if (database == nullptr) return {};
    SQLite::Statement query(*database, "SELECT inputs, target FROM examples WHERE id = ?");
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
  std::mutex write_mutex;  // guards writer
  std::optional<SQLite::Database> writer;
  std::mutex read_mutex;         // guards reader
  std::optional<Reader> reader;  // of its own, so that reading never waits for a long import
};

Side side_of(const Example& example) {
  return side_of_encoded(encode(example.inputs));
}

ExampleStore::ExampleStore(std::filesystem::path path) : state_(std::make_unique<State>(std::move(path))) {}
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
  std::string form;
  guarded(state_->path, [&] {
    state_->begin(transaction);
    form = state_->form_there(task);
  });
  std::uint64_t fresh = 0;
  while (const std::optional<Example> example = next()) {
    const std::string own = form_of(*example);
    if (form.empty()) form = own;
    if (own != form) refuse_form(own, form);
    fresh += guarded(state_->path, [&] { return state_->insert(task, *example); }) ? 1U : 0U;
  }
  guarded(state_->path, [&] { transaction->commit(); });
  return fresh;
}

std::uint64_t ExampleStore::count(const std::string& task, Side side) const {
  const std::lock_guard lock(state_->read_mutex);
  return guarded(state_->path, [&]() -> std::uint64_t {
    SQLite::Database* database = state_->to_read();
    if (database == nullptr) return 0;
    SQLite::Statement query(*database, "SELECT count(*) FROM examples WHERE task = ? AND held_out = ?");
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
