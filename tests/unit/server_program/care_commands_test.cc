#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "server/home/server_home.h"
#include "server/registry/registry.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"
#include "tests/unit/server_program/running.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;
namespace json = boost::json;

namespace {

/// A home with the sample task in it.
struct HomeWithTask {
  HomeWithTask() : path((folder / "home").string()) {
    run({"init", path, "--listen", "127.0.0.1:7443"});
    const ServerHome home = ServerHome::open(path);
    Ledger ledger(home.ledger_path());
    BlobStore blobs(home.blobs_path());
    Registry registry(ledger, blobs, home.signing_key());
    blobs.put(as_bytes("archive"));
    const Weights weights{1, 2, 3, 4, 5, 6};
    first = blobs.path(registry.add_task(sample_task(), weights, at(100)).weights_hash);
  }

  TemporaryFolder folder;
  std::string path;
  std::filesystem::path first;  ///< The blob of version 1's weights.
};

}  // namespace

TEST_CASE("fsck tells what it has read and ends with 0 where there is no fault") {
  const HomeWithTask home;
  const Outcome checked = run({"fsck", home.path});
  INFO(checked.err);
  CHECK(checked.status == program::exit_ok);
  CHECK(contains(checked.out, "tasks"));
  CHECK(contains(checked.out, home.path + " has no fault\n"));
  const json::value report = json::parse(run({"fsck", home.path, "--json"}).out);
  CHECK(report.at("clean") == true);
  CHECK(report.at("tasks") == 1);
  CHECK(report.at("versions") == 1);
  CHECK(report.at("files") == 2);
  CHECK(report.at("bytes") == 31);
  CHECK(report.at("findings").as_array().empty());
}

TEST_CASE("fsck names a fault and what to do about it and ends with 1 (I9)") {
  const HomeWithTask home;
  std::filesystem::remove(home.first);
  const Outcome checked = run({"fsck", home.path});
  CHECK(checked.status == program::exit_failed);
  CHECK(contains(checked.out, "fault: blobs/" + home.first.filename().string() +
                                  ": is missing; it should hold the weights of version 1 of 'har'\n  copy "));
  CHECK(contains(checked.out, home.path + " has faults\n"));
  const Outcome as_json = run({"fsck", home.path, "--json"});
  CHECK(as_json.status == program::exit_failed);
  const json::value report = json::parse(as_json.out);
  CHECK(report.at("clean") == false);
  CHECK(report.at("findings").at(0).at("kind") == "fault");
}

TEST_CASE("fsck removes leftovers with --repair alone") {
  const HomeWithTask home;
  BlobStore(home.path + "/blobs").put(as_bytes("nothing refers to this"));
  CHECK(contains(run({"fsck", home.path}).out, "leftover: blobs/"));
  CHECK(contains(run({"fsck", home.path, "--repair"}).out, "it was removed"));
  CHECK(run({"fsck", home.path}).out.find("leftover") == std::string::npos);
}

TEST_CASE("a home is backed up and restored under another name and nothing is replaced (I9)") {
  const HomeWithTask home;
  const std::string backup = (home.folder / "backup").string();
  const std::string again = (home.folder / "again").string();
  const Outcome backed_up = run({"backup", home.path, backup});
  INFO(backed_up.err);
  CHECK(backed_up.status == program::exit_ok);
  CHECK(contains(backed_up.out, "1 task, 1 version, 0 rounds and 2 files with 31 B"));
  CHECK(run({"restore", backup, again}).status == program::exit_ok);
  CHECK(run({"fsck", again}).status == program::exit_ok);
  CHECK(run({"versions", again, "har"}).out == run({"versions", home.path, "har"}).out);
  for (const auto& words : {std::vector<std::string>{"backup", home.path, backup},
                            std::vector<std::string>{"restore", backup, home.path}}) {
    const Outcome refused = run(words);
    CHECK(refused.status == program::exit_failed);
    CHECK(contains(refused.err, words.back() + " is there already"));
  }
  CHECK(run({"backup", again + "-not", backup + "2"}).status == program::exit_failed);
}

TEST_CASE("a version is published again above what devices hold while no server runs") {
  const HomeWithTask home;
  CHECK(contains(run({"republish", home.path, "har", "--above", "4"}).out, "is version 5 now"));
  CHECK(json::parse(run({"versions", home.path, "har", "--json"}).out).as_array().size() == 5);
  CHECK(run({"fsck", home.path}).status == program::exit_ok);
  CHECK(run({"republish", home.path, "har", "--above", "3"}).status == program::exit_wrong_usage);
  CHECK(run({"republish", home.path, "har"}).status == program::exit_wrong_usage);
  const FileDescriptor lock = ServerHome::open(home.path).lock();
  CHECK(contains(run({"republish", home.path, "har", "--above", "9"}).err, "is in use by process"));
}
