#include <fstream>
#include <functional>
#include <set>
#include <utility>

#include "common/model/manifest.h"
#include "tests/unit/care/full_home.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

namespace fs = std::filesystem;
using Kind = Finding::Kind;

struct Damage {
  const char* what;
  std::function<void(FullHome&)> make;
  std::string where;  ///< Of what must be found.
  std::string words;
  Kind kind = Kind::fault;
};

void flip_last_byte(const fs::path& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(-1, std::ios::end);
  const char last = static_cast<char>(file.get());
  file.seekp(-1, std::ios::end);
  file.put(static_cast<char>(last ^ 1));
  REQUIRE(file.good());
}

/// Signs version 2's manifest again after `change`, as somebody with the key could.
void sign_again(FullHome& full, const std::function<void(Manifest&)>& change) {
  const SigningKey key = full.home.signing_key();
  Manifest manifest = verify(full.ledger.version("har", 2)->manifest, key.public_key());
  change(manifest);
  const SignedManifest again = sign(manifest, key);
  SQLite::Database database(full.home.ledger_path().string(), SQLite::OPEN_READWRITE);
  SQLite::Statement update(database, "UPDATE versions SET manifest = ?, signature = ? WHERE version = 2");
  update.bind(1, again.text);
  update.bind(2, again.signature.data(), static_cast<int>(again.signature.size()));
  update.exec();
}

std::set<std::string> files_in(const fs::path& folder) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) files.insert(entry.path().string());
  return files;
}

void check_found(const std::vector<Damage>& damages) {
  for (const Damage& damage : damages) {
    CAPTURE(damage.what);
    FullHome full;
    damage.make(full);
    const HomeReport report = full.check();
    CAPTURE(text_of(report));
    CHECK(report.has_faults() == (damage.kind == Kind::fault));
    CHECK(report.has_losses() == (damage.kind == Kind::loss));
    CHECK(finds(report, damage.kind, damage.where, damage.words));
  }
}

}  // namespace

TEST_CASE("a home that is whole has no fault and is left as it was") {
  const FullHome full;
  const FileDescriptor lock = full.home.lock();
  const std::set<std::string> before = files_in(full.home.folder());
  const Bytes ledger = read_file(full.home.ledger_path());
  std::uint64_t watched = 0;
  const HomeReport report =
      check_home(full.home, Leftovers::report, [&](std::uint64_t bytes) { watched += bytes; });
  CAPTURE(text_of(report));
  CHECK(!report.has_faults());
  CHECK(report.records.tasks == 1);
  CHECK(report.records.versions == 2);
  CHECK(report.records.rounds == 2);
  CHECK(report.files == 5);  // the archive, two versions' weights, a state and an update
  CHECK(report.bytes == 7 + 24 + 24 + 5 + 24);
  CHECK(watched == report.bytes);
  CHECK(bytes_to_check(full.home) == report.bytes);
  CHECK(files_in(full.home.folder()) == before);
  CHECK(read_file(full.home.ledger_path()) == ledger);
}

TEST_CASE("files that are gone or hold something else are faults and say whose they were (I3)") {
  const std::string blobs = "blobs/";
  check_found({
      {"weights gone", [](FullHome& full) { fs::remove(full.weights_path(1)); }, blobs,
       "is missing; it should hold the weights of version 1 of 'har'", Kind::loss},
      {"weights changed", [](FullHome& full) { flip_last_byte(full.weights_path(2)); }, blobs,
       "does not hash to its name; it should hold the weights of version 2 of 'har'"},
      {"weights cut off", [](FullHome& full) { fs::resize_file(full.weights_path(2), 8); }, blobs,
       "does not hash to its name"},
      {"archive gone", [](FullHome& full) { fs::remove(full.blobs.path(sample_task().archive_hash)); }, blobs,
       "is missing; it should hold the archive of 'har'"},
      {"state gone",
       [](FullHome& full) { fs::remove(full.blobs.path(*full.ledger.version("har", 2)->state_hash)); }, blobs,
       "is missing; it should hold the strategy's state of version 2"},
      {"update gone", [](FullHome& full) { fs::remove(full.update_path()); }, "spool/har/2/a-",
       "is missing; it should hold the acknowledged update of the device a"},
      {"update changed", [](FullHome& full) { flip_last_byte(full.update_path()); }, "spool/har/2/a-",
       "does not hash to its name"},
      {"a folder in its place",
       [](FullHome& full) {
         fs::remove(full.weights_path(1));
         fs::create_directory(full.weights_path(1));
       },
       blobs, "cannot be read", Kind::loss},
  });
}

TEST_CASE("what a fault leads to is told: a start refused or a round abandoned or an export lost") {
  FullHome full;
  for (const fs::path& path : {full.weights_path(1), full.weights_path(2), full.update_path()}) {
    fs::remove(path);
  }
  const std::string text = text_of(full.check());
  CAPTURE(text);
  CHECK(text.find(
            "version 2 of 'har' | copy blobs/" + full.weights_path(2).filename().string() +
            " from a backup, or from a device that holds the version (models/TASK/parts there); without it "
            "fl-server does not start") != std::string::npos);
  CHECK(text.find("no round needs it, but the version cannot be exported") != std::string::npos);
  CHECK(text.find("fl-server records round 2 of 'har' as abandoned") != std::string::npos);
}

TEST_CASE("a difference that is lost costs bytes alone and one that is there is no leftover") {
  FullHome full;
  const Weights next{3, 4, 5, 6, 7, 8};
  RoundResult result{store_weights(full.blobs, sample_task().layout, next), {}};
  result.difference = {full.ledger.latest_version("har").weights_hash,
                       full.blobs.put(as_bytes("a difference")), 12, Encoding::fp16, 6};
  full.registry.commit_round("har", 2, result, at(400));
  fs::remove_all(full.home.spool_path() / "har");
  CHECK(text_of(full.check()) == "");
  fs::remove(full.blobs.path(result.difference->hash));
  const HomeReport report = full.check();
  CAPTURE(text_of(report));
  CHECK(finds(report, Kind::loss, "blobs/",
              "is missing; it should hold the difference that leads to version 3 of 'har'"));
  CHECK(text_of(report).find("without it devices fetch the whole weights") != std::string::npos);
}

TEST_CASE("versions that do not make a chain signed by the home are faults (I6)") {
  const std::string second = "version 2 of 'har'";
  check_found({
      {"signature",
       [](FullHome& full) { full.execute("UPDATE versions SET signature = zeroblob(64) WHERE version = 2"); },
       second, "does not verify"},
      {"another key", [](FullHome& full) { SigningKey::generate().save(full.home.folder() / "signing.key"); },
       second, "does not verify"},
      {"weights",
       [](FullHome& full) {
         full.execute(
             "UPDATE versions SET weights_hash = (SELECT archive_hash FROM tasks) WHERE version = 2");
       },
       second, "another hash of its weights"},
      {"previous",
       [](FullHome& full) { sign_again(full, [](Manifest& manifest) { manifest.previous = Digest(); }); },
       second, "another manifest before it"},
      {"number", [](FullHome& full) { sign_again(full, [](Manifest& manifest) { manifest.version = 9; }); },
       second, "another version"},
      {"archive",
       [](FullHome& full) { sign_again(full, [](Manifest& manifest) { manifest.archive_bytes = 8; }); },
       second, "another archive"},
      {"layout",
       [](FullHome& full) { sign_again(full, [](Manifest& manifest) { manifest.layout_hash = Digest(); }); },
       second, "another layout"},
      {"task", [](FullHome& full) { sign_again(full, [](Manifest& manifest) { manifest.task = "other"; }); },
       second, "another task"},
      {"a gap",
       [](FullHome& full) {
         full.execute("UPDATE rounds SET base_version = 3 WHERE round = 2");
         full.execute("UPDATE versions SET version = 3 WHERE version = 2");
       },
       "version 3 of 'har'", "is where version 2 should be"},
      {"no version at all", [](FullHome& full) { full.execute("DELETE FROM versions"); }, "the task 'har'",
       "has no version"},
  });
}

TEST_CASE("rounds that do not fit the versions are faults (I3)") {
  check_found({
      {"committed without a version",
       [](FullHome& full) { full.execute("UPDATE versions SET round = 0 WHERE version = 2"); },
       "round 1 of 'har'", "is committed, but there is no version that it made"},
      {"abandoned with a version",
       [](FullHome& full) { full.execute("UPDATE rounds SET state = 'abandoned' WHERE round = 1"); },
       "round 1 of 'har'", "is abandoned, but there is a version"},
      {"no such round", [](FullHome& full) { full.execute("DELETE FROM rounds WHERE round = 1"); },
       "version 2 of 'har'", "was made by round 1, which there is not"},
      {"from an older version",
       [](FullHome& full) { full.execute("UPDATE rounds SET base_version = 1 WHERE round = 2"); },
       "round 2 of 'har'", "trains from version 1, whose weights are not those of the newest"},
      {"no such device", [](FullHome& full) { full.execute("DELETE FROM devices WHERE id = 'b'"); },
       "ledger.db", "the table participants refers 2 times to what is not in the table devices"},
  });
}

TEST_CASE("keys that are lost or do not belong together are faults and the rest is still checked") {
  check_found({
      {"signing", [](FullHome& full) { fs::remove(full.home.folder() / "signing.key"); }, "signing.key",
       "signing.key"},
      {"authority", [](FullHome& full) { fs::remove(full.home.folder() / "authority.key"); }, "authority.key",
       "authority.key"},
      {"server", [](FullHome& full) { net::PrivateKey::generate().save(full.home.folder() / "server.key"); },
       "server.key", "key"},
  });
  FullHome full;
  fs::remove(full.home.folder() / "signing.key");
  CHECK(full.check().files == 5);
}

TEST_CASE("a ledger that cannot be read is a fault and nothing is taken for a leftover then") {
  FullHome full;
  const ServerHome home = full.home;
  fs::remove(home.ledger_path().string() + "-wal");
  fs::remove(home.ledger_path().string() + "-shm");
  write_file_atomically(home.ledger_path(), as_bytes(std::string(8192, 'x')), FileMode::secret);
  const HomeReport report = check_home(home, Leftovers::remove, {});
  CAPTURE(text_of(report));
  CHECK(finds(report, Kind::fault, "ledger.db", "file is not a database"));
  CHECK(finds(report, Kind::skipped, "home", "as the ledger has faults"));
  CHECK(fs::exists(full.update_path()));
  CHECK(!fs::is_empty(home.blobs_path()));
}

TEST_CASE("an update of a round that a running server commits meanwhile is not missed") {
  FullHome full;
  const FileDescriptor lock = full.home.lock();
  bool committed = false;
  const HomeReport report = check_home(full.home, Leftovers::report, [&](std::uint64_t) {
    if (std::exchange(committed, true)) return;
    const Weights next{3, 4, 5, 6, 7, 8};
    full.registry.commit_round("har", 2, {store_weights(full.blobs, sample_task().layout, next), {}},
                               at(400));
    full.spool.remove_round("har", 2);
  });
  CAPTURE(text_of(report));
  CHECK(committed);
  CHECK(!report.has_faults());
}
