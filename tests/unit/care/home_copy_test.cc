#include "server/care/home_copy.h"

#include <functional>

#include "tests/unit/care/full_home.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

namespace fs = std::filesystem;

fs::perms mode_of(const fs::path& path) {
  return fs::status(path).permissions();
}

/// Copies a home, and sees that it fails with this code and words and makes nothing.
void check_not_copied(const ServerHome& home, const fs::path& target, ErrorCode code,
                      const std::string& words, const Watch& watch = {}) {
  try {
    copy_home(home, target, watch);
    FAIL_CHECK("it was copied");
  } catch (const Error& error) {
    CAPTURE(error.what());
    CHECK(name(error.code()) == name(code));
    CHECK(std::string(error.what()).find(words) != std::string::npos);
  }
}

/// Has the server commit round 2 as soon as the ledger has been copied.
class CommitsMeanwhile {
 public:
  CommitsMeanwhile(FullHome& full, fs::path part) : full_(full), part_(std::move(part)) {}

  void operator()(std::uint64_t /*bytes*/) {
    if (committed || !fs::exists(part_ / "ledger.db")) return;
    committed = true;
    const Weights next{3, 4, 5, 6, 7, 8};
    full_.registry.commit_round("har", 2, {store_weights(full_.blobs, sample_task().layout, next), {}},
                                at(400));
    full_.spool.remove_round("har", 2);
  }

  bool committed = false;

 private:
  FullHome& full_;
  fs::path part_;
};

}  // namespace

TEST_CASE("a copy of a home has all that it needs and is as secret") {
  FullHome full;
  full.blobs.put(as_bytes("nothing refers to this"));
  const FileDescriptor lock = full.home.lock();  // as a server that runs
  const fs::path target = full.folder / "copy";
  std::uint64_t watched = 0;
  const HomeReport report = copy_home(full.home, target, [&](std::uint64_t bytes) { watched += bytes; });
  CHECK(report.records.versions == 2);
  CHECK(report.files == 5);
  CHECK(watched >= 2 * bytes_to_check(full.home));
  CHECK(!fs::exists(target.string() + ".part"));

  const ServerHome copy = ServerHome::open(target);
  const HomeReport checked = check_home(copy, Leftovers::report, {});
  CAPTURE(text_of(checked));
  CHECK(checked.findings.empty());
  for (const char* const name : ServerHome::fixed_files()) {
    CAPTURE(name);
    CHECK(read_file(target / name) == read_file(full.home.folder() / name));
    CHECK(mode_of(target / name) == mode_of(full.home.folder() / name));
  }
  CHECK(mode_of(target) == fs::perms::owner_all);
  CHECK(mode_of(target / "ledger.db") == (fs::perms::owner_read | fs::perms::owner_write));
  const Ledger ledger(copy.ledger_path());
  CHECK(ledger.devices().size() == 2);
  CHECK(ledger.open_round("har")->round == 2);
}

TEST_CASE("a round that is committed during the copy is open in it with its updates or committed (I3)") {
  for (const bool both_have_sent : {false, true}) {
    FullHome full;
    if (both_have_sent) full.accept_update("b", 2);
    const fs::path target = full.folder / "copy";
    CommitsMeanwhile server(full, target.string() + ".part");
    copy_home(full.home, target, std::ref(server));
    CHECK(server.committed);
    const ServerHome copy = ServerHome::open(target);
    const HomeReport report = check_home(copy, Leftovers::report, {});
    CAPTURE(text_of(report));
    CHECK(report.findings.empty());
    // With a second update, which has gone before it could be read, the ledger is copied anew.
    CHECK(Ledger(copy.ledger_path()).latest_version("har").version == (both_have_sent ? 3 : 2));
  }
}

TEST_CASE("a copy that was interrupted goes on with the blobs that are there (I10)") {
  FullHome full;
  const fs::path target = full.folder / "copy";
  const fs::path part = target.string() + ".part";
  const auto blobs_there = [&] {
    return fs::exists(part / "blobs") ? std::distance(fs::directory_iterator(part / "blobs"), {}) : 0;
  };
  check_not_copied(full.home, target, ErrorCode::cancelled, "interrupted", [&](std::uint64_t) {
    if (blobs_there() == 3) throw Error(ErrorCode::cancelled, "interrupted");
  });
  CHECK(!fs::exists(target));
  CHECK(fs::exists(part / "ledger.db"));
  const auto kept = fs::directory_iterator(part / "blobs")->path();
  const auto written = fs::last_write_time(kept);
  make_private_folder(part / "spool/har/1");
  copy_home(full.home, target, {});
  CHECK(fs::last_write_time(target / "blobs" / kept.filename()) == written);
  CHECK(check_home(ServerHome::open(target), Leftovers::report, {}).findings.empty());
}

TEST_CASE("a copy is made over nothing and outside the home and by one process at a time (I9)") {
  FullHome full;
  const fs::path target = full.folder / "copy";
  make_private_folder(target);
  write_file_atomically(target / "mine", as_bytes("mine"));
  check_not_copied(full.home, target, ErrorCode::already_exists, "is there already");
  CHECK(read_text_file(target / "mine") == "mine");
  fs::remove(target / "mine");
  check_not_copied(full.home, full.home.folder() / "spool" / "copy", ErrorCode::invalid_argument,
                   "within the home");
  CHECK(!fs::exists(full.home.folder() / "spool" / "copy.part"));
  make_private_folder(target.string() + ".part");
  {
    const FileDescriptor lock = lock_home(target.string() + ".part");
    check_not_copied(full.home, target, ErrorCode::failed_precondition, "in use by process");
  }
  copy_home(full.home, target / "", {});  // an empty folder, and with a slash
  CHECK(check_home(ServerHome::open(target), Leftovers::report, {}).findings.empty());
}

TEST_CASE("a home with something lost or damaged is not copied and the sentence names it (I9)") {
  const auto check_refused = [](const std::function<fs::path(FullHome&)>& damage, const std::string& words) {
    FullHome full;
    const fs::path damaged = damage(full);
    check_not_copied(full.home, full.folder / "copy", ErrorCode::invalid_data,
                     damaged.string() + " " + words);
    CHECK(!fs::exists(full.folder / "copy"));
  };
  const auto remove = [](const fs::path& path) {
    fs::remove(path);
    return path;
  };
  const auto spoil = [](const fs::path& path) {
    fs::resize_file(path, 3);
    return path;
  };
  check_refused([&](FullHome& full) { return remove(full.weights_path(2)); },
                "is missing, the weights of version 2 of 'har'; 'fl-server fsck ");
  check_refused([&](FullHome& full) { return remove(full.update_path()); }, "is missing");
  check_refused([&](FullHome& full) { return spoil(full.weights_path(2)); }, "does not hash to its name");
  check_refused([&](FullHome& full) { return spoil(full.update_path()); }, "does not hash to its name");
  check_refused(
      [&](FullHome& full) {
        full.execute("UPDATE versions SET signature = zeroblob(64) WHERE version = 2");
        return full.home.folder();
      },
      "was not copied: version 2 of 'har'");
}

TEST_CASE("what is lost and nothing waits for is left out of a copy and named (I9)") {
  for (const bool is_gone : {true, false}) {
    FullHome full;
    const fs::path lost = full.weights_path(1);
    if (is_gone) fs::remove(lost);
    if (!is_gone) fs::resize_file(lost, 3);
    const auto check_report = [&](const HomeReport& report) {
      CAPTURE(text_of(report));
      REQUIRE(report.findings.size() == 1);
      CHECK(report.findings.front().kind == Finding::Kind::loss);
      CHECK(report.findings.front().where == "blobs/" + lost.filename().string());
    };
    check_report(check_home(full.home, Leftovers::report, {}));
    check_report(copy_home(full.home, full.folder / "backup", {}));
    const ServerHome backup = ServerHome::open(full.folder / "backup");
    CHECK(!fs::exists(backup.blobs_path() / lost.filename()));
    check_report(restore_home(backup, full.folder / "restored", {}));
    CHECK(Ledger(full.folder / "restored" / "ledger.db").open_round("har")->round == 2);
  }
}

TEST_CASE("a home that is restored goes on where its backup was and the backup stays as it is (I3)") {
  FullHome full;
  copy_home(full.home, full.folder / "backup", {});
  const ServerHome backup = ServerHome::open(full.folder / "backup");
  const Bytes before = read_file(backup.ledger_path());
  const HomeReport report = restore_home(backup, full.folder / "restored", {});
  CHECK(report.files == 5);
  CHECK(read_file(backup.ledger_path()) == before);
  const ServerHome home = ServerHome::open(full.folder / "restored");
  Ledger ledger(home.ledger_path());
  const UpdateSpool spool(home.spool_path());
  CHECK(ledger.open_round("har")->round == 2);
  CHECK(read_text_file(spool.path("har", 2, "a", FullHome::update_hash())) == FullHome::update_text);
  BlobStore blobs(home.blobs_path());
  Registry registry(ledger, blobs, home.signing_key());
  const Weights next{3, 4, 5, 6, 7, 8};
  registry.commit_round("har", 2, {store_weights(blobs, sample_task().layout, next), {}}, at(400));
  CHECK(!check_home(home, Leftovers::report, {}).has_faults());
}

TEST_CASE("a backup with a fault is not restored (I9)") {
  FullHome full;
  copy_home(full.home, full.folder / "backup", {});
  const ServerHome backup = ServerHome::open(full.folder / "backup");
  fs::remove(backup.blobs_path() / full.weights_path(2).filename());
  CHECK(code_of([&] { restore_home(backup, full.folder / "restored", {}); }) == ErrorCode::invalid_data);
  CHECK(!fs::exists(full.folder / "restored"));
  CHECK(!fs::exists(full.folder / "restored.part"));
}
