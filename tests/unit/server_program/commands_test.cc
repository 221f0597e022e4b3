#include <fstream>

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "common/net/enrolment_token.h"
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

/// A home that fl-server made, and its path.
struct MadeHome {
  MadeHome() : path((folder / "home").string()) {
    CHECK(run({"init", path, "--listen", "127.0.0.1:7443"}).status == program::exit_ok);
  }

  /// Adds the sample task and a committed round to it, as a server would.
  void fill_in() const {
    const ServerHome home = ServerHome::open(path);
    Ledger ledger(home.ledger_path());
    BlobStore blobs(home.blobs_path());
    Registry registry(ledger, blobs, home.signing_key());
    blobs.put(as_bytes("archive"));
    const Weights weights{1, 2, 3, 4, 5, 6};
    registry.add_task(sample_task(), weights, at(100));
    enrol(ledger, "a");
    enrol(ledger, "b");
    ledger.begin_round(sample_round(1, 1), {"a", "b"});
    ledger.record_updates("har", 1, {accepted_update("a", 12)});
    ledger.record_updates("har", 1, {refused_update("b", "not_finite")});
    registry.commit_round("har", 1, {store_weights(blobs, sample_task().layout, weights), {}}, at(230));
  }

  TemporaryFolder folder;
  std::string path;
};

}  // namespace

TEST_CASE("every command has help with an example") {
  for (const program::Command& command : fl_server().commands) {
    INFO(command.name);
    const std::size_t space = command.name.find(' ');
    std::vector<std::string> words{command.name.substr(0, space)};
    if (space != std::string::npos) words.push_back(command.name.substr(space + 1));
    const Outcome outcome = run(joined(words, {"--help"}));
    CHECK(outcome.status == program::exit_ok);
    CHECK(contains(outcome.out, "Example:\n  fl-server " + command.name));
    CHECK(outcome.err.empty());
  }
}

TEST_CASE("a home is made once and says what comes next") {
  const MadeHome made;
  const Outcome again = run({"init", made.path});
  CHECK(again.status == program::exit_failed);
  CHECK(contains(again.err, "fl-server: error: " + made.path + " is a server's home already"));
  const Outcome wrong = run({"init", (made.folder / "other").string(), "--listen", "nowhere"});
  CHECK(wrong.status == program::exit_wrong_usage);
  CHECK(contains(wrong.err, "--listen: "));
  CHECK_FALSE(std::filesystem::exists(made.folder / "other"));
}

TEST_CASE("a home that only its own machine finds says so when it is made") {
  const TemporaryFolder folder;
  const auto said_of = [&](const std::string& host) {
    return run({"init", (folder / host).string(), "--host", host}).out;
  };
  for (const char* const host : {"127.0.0.1", "::1", "localhost"}) {
    CHECK(contains(said_of(host), "for devices on others, make the home anew with --host NAME"));
  }
  for (const char* const host : {"192.0.2.7", "fl.example.org"}) {
    CHECK(said_of(host).find("make the home anew") == std::string::npos);
  }
}

TEST_CASE("a command on a folder that is no home says how to make one (I9)") {
  const TemporaryFolder folder;
  for (const auto& command : std::vector<std::vector<std::string>>{
           {"status"}, {"devices", "list"}, {"token"}, {"task", "list"}, {"run"}}) {
    const Outcome outcome = run(joined(command, {folder.path().string()}));
    CHECK(outcome.status == program::exit_failed);
    CHECK(contains(outcome.err, "fl-server init"));
  }
}

TEST_CASE("the status of a home tells its tasks for eyes and for programs") {
  const MadeHome made;
  CHECK(contains(run({"status", made.path}).out, "does not run"));
  CHECK(contains(run({"status", made.path}).out, "There are no tasks"));
  made.fill_in();
  CHECK(contains(run({"status", made.path}).out, "har         2"));
  const json::value status = json::parse(run({"status", made.path, "--json"}).out);
  CHECK(status.at("running") == false);
  CHECK(status.at("devices") == 2);
  CHECK(contains(run({"task", "list", made.path}).out, "cross_entropy"));
}

TEST_CASE("tokens are printed one a line") {
  const MadeHome made;
  const Outcome outcome = run({"token", made.path, "--count", "2", "--name", "phone"});
  CHECK(outcome.status == program::exit_ok);
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    CHECK(net::EnrolmentToken::parse(line).server.text() == "127.0.0.1:7443");
  }
  CHECK(json::parse(run({"token", made.path, "--json"}).out).at("tokens").as_array().size() == 1);
  CHECK(run({"token", made.path, "--count", "0"}).status == program::exit_wrong_usage);
  CHECK(run({"token", made.path, "--hours", "soon"}).status == program::exit_wrong_usage);
}

TEST_CASE("devices are listed and revoked") {
  const MadeHome made;
  CHECK(contains(run({"devices", "list", made.path}).out, "No device is enrolled"));
  made.fill_in();
  CHECK(run({"devices", "revoke", made.path, "a"}).status == program::exit_ok);
  const json::value devices = json::parse(run({"devices", "list", made.path, "--json"}).out);
  CHECK(devices.at(0).at("revoked") == true);
  CHECK(devices.at(1).at("revoked") == false);
  CHECK(contains(run({"status", made.path}).out, "1 device is enrolled"));
  CHECK(run({"devices", "revoke", made.path, "nobody"}).status == program::exit_failed);
  CHECK(run({"devices", "revoke", made.path}).status == program::exit_wrong_usage);
  CHECK(contains(run({"devices", made.path}).err, "there are: devices list, devices revoke"));
}

TEST_CASE("rounds and versions are listed and can be followed to an end") {
  const MadeHome made;
  made.fill_in();
  const Outcome rounds = run({"rounds", made.path, "har"});
  CHECK(contains(rounds.out, "committed"));
  CHECK(contains(rounds.out, "1 not_finite"));
  CHECK(contains(rounds.out, "24 B"));
  const json::value record = json::parse(run({"rounds", made.path, "har", "--json"}).out).at(0);
  CHECK(record.at("bytes") == 24);
  CHECK(record.at("seconds") == 30.0);
  CHECK(record.at("accuracy") == 0.25);
  for (const char* column : {"declined", "late", "dropped", "surplus"}) {
    CHECK(contains(rounds.out, column));
    CHECK(record.at(column) == 0);
  }
  const Outcome followed = run({"rounds", made.path, "har", "--follow", "--until-round", "1"});
  CHECK(followed.status == program::exit_ok);
  CHECK(contains(followed.out, "committed"));
  const Outcome late =
      run({"rounds", made.path, "har", "--follow", "--until-round", "2", "--timeout", "0.1", "--json"});
  CHECK(late.status == program::exit_failed);
  CHECK(json::parse(late.out).at("round") == 1);
  CHECK(run({"rounds", made.path, "har", "--until-round", "2"}).status == program::exit_wrong_usage);
  CHECK(
      contains(run({"rounds", made.path, "har", "--follow", "--timeout", "-1"}).err, "--timeout: -1 is out"));
  CHECK(contains(run({"versions", made.path, "har"}).out, "1970-01-01 00:03:50"));
  const Outcome unknown = run({"versions", made.path, "haar"});
  CHECK(unknown.status == program::exit_failed);
  CHECK(contains(unknown.err, "there are: har"));
}

TEST_CASE("versions are listed with how devices evaluated them where any was") {
  const MadeHome made;
  made.fill_in();
  CHECK(run({"versions", made.path, "har"}).out.find("accuracy") == std::string::npos);
  CHECK(json::parse(run({"versions", made.path, "har", "--json"}).out).at(0).at("accuracy").is_null());
  {
    Ledger ledger(ServerHome::open(made.path).ledger_path());
    ledger.begin_evaluation(sample_evaluation(1, 2), {"a", "b"});
    EvaluationRecord ended = sample_evaluation(1, 2);
    ended.state = EvaluationState::incomplete;
    ended.summary = {
        2, 40, 0.5, Spread{0.25, 0.25, 0.25, 0.75, 0.75}, 0.625, Spread{0.5, 0.5, 0.5, 1.0, 1.0}};
    ledger.close_evaluation(ended);
  }
  const std::string table = run({"versions", made.path, "har"}).out;
  CHECK(contains(table, "accuracy_p10"));
  CHECK(contains(table, "incomplete"));
  CHECK(contains(table, "0.6250"));
  const json::value versions = json::parse(run({"versions", made.path, "har", "--json"}).out);
  CHECK(versions.at(0).at("evaluation").is_null());
  CHECK(versions.at(1).at("evaluation") == "incomplete");
  CHECK(versions.at(1).at("devices") == 2);
  CHECK(versions.at(1).at("examples") == 40);
  CHECK(versions.at(1).at("loss") == 0.5);
  CHECK(versions.at(1).at("loss_max") == 0.75);
  CHECK(versions.at(1).at("accuracy") == 0.625);
  CHECK(versions.at(1).at("accuracy_min") == 0.5);
}

TEST_CASE("a version is written as safetensors without an engine") {
  const MadeHome made;
  made.fill_in();
  const std::string output = (made.folder / "har.safetensors").string();
  CHECK(run({"export", made.path, "har", "--output", output, "--version", "1"}).status == program::exit_ok);
  CHECK(std::filesystem::file_size(output) > 24);
  CHECK(run({"export", made.path, "har", "--output", output, "--version", "3"}).status ==
        program::exit_failed);
  const Outcome nowhere = run({"export", made.path, "har", "--output", (made.folder / "no/har.pt").string()});
  CHECK(nowhere.status == program::exit_failed);
  CHECK(
      contains(nowhere.err, "har.pt cannot be written: there is no folder " + (made.folder / "no").string()));
  CHECK(run({"export", made.path, "har", "--output", "x.onnx"}).status == program::exit_wrong_usage);
  CHECK(run({"export", made.path, "har"}).status == program::exit_wrong_usage);
}

TEST_CASE("a version that was pruned is shown as such and cannot be exported (I9)") {
  const MadeHome made;
  made.fill_in();
  CHECK(Ledger(ServerHome::open(made.path).ledger_path()).prune_versions("har", {1}) == 1);
  const json::value versions = json::parse(run({"versions", made.path, "har", "--json"}).out);
  CHECK(versions.at(0).at("pruned") == true);
  CHECK(versions.at(1).at("pruned") == false);
  const std::string output = (made.folder / "har.safetensors").string();
  const Outcome outcome = run({"export", made.path, "har", "--output", output, "--version", "1"});
  CHECK(outcome.status == program::exit_failed);
  CHECK(contains(outcome.err, "version 1 of 'har' was pruned: its weights are not kept any more"));
  CHECK_FALSE(std::filesystem::exists(output));
  CHECK(run({"export", made.path, "har", "--output", output}).status == program::exit_ok);
}

TEST_CASE("a task that is not described well is refused before a model is opened (I9)") {
  const MadeHome made;
  const auto refused = [&](const std::vector<std::string>& more) {
    const Outcome outcome = run(joined(joined({"task", "add", made.path, "har"}, window_options()), more));
    CHECK(outcome.status == program::exit_wrong_usage);
    CHECK(outcome.out.empty());
    return outcome.err;
  };
  CHECK(contains(refused({}), "--model FILE.pt"));
  CHECK(contains(refused({"--model", "a.pt", "--architecture", "cnn1d"}), "--architecture"));
  CHECK(contains(refused({"--model", "a.pt", "--hidden", "8"}), "--hidden"));
  CHECK(contains(
      refused({"--architecture", "cnn1d", "--round.max-delta", "1e6", "--round.max-examples", "500000000"}),
      "2^-28"));
  CHECK(contains(refused({"--architecture", "cnn1d", "--round.strategy", "fedsgd"}),
                 "--round.strategy: the strategy 'fedsgd' is unknown; there are fedavg, fedprox"));
  CHECK(contains(
      refused({"--architecture", "cnn1d", "--round.server-beta1", "0.5"}),
      "--round.strategy: server-beta1 is nothing that the strategy fedavg has; it has server-learning-rate"));
  CHECK(contains(refused({"--architecture", "cnn1d", "--round.strategy", "fedprox"}), "proximal-mu above 0"));
  CHECK(contains(refused({"--architecture", "cnn1d", "--round.gaol", "3"}), "did you mean --round.goal?"));
  const std::string file = (made.folder / "har.ini").string();
  std::ofstream(file) << "[round]\ngoal = 3\ngaol = 4\n";
  CHECK(contains(refused({"--architecture", "cnn1d", "--config", file}),
                 "har.ini:3: round.gaol: unknown setting"));
  CHECK(contains(run({"task", "list", made.path}).out, "There are no tasks"));
}
