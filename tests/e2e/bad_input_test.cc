#include <unistd.h>

#include <doctest/doctest.h>

#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/base/random.h"
#include "common/net/enrolment_token.h"
#include "server/ledger/ledger.h"
#include "tests/e2e/members.h"
#include "tests/e2e/refusals.h"

using namespace fl;
using namespace fl::test;

namespace {

std::string write(const Federation& federation, const std::string& name, const std::string& text) {
  const std::filesystem::path path = federation.folder() / name;
  write_file_atomically(path, as_bytes(text));
  return path.string();
}

/// A recording of `lines` samples with one line replaced.
std::string recording(std::size_t lines, std::size_t bad, const std::string& line) {
  std::string text = "x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label\n";
  for (std::size_t i = 2; i < lines + 2; ++i)
    text += (i == bad ? line : "1,2,3,4,5,6,7,WALKING") + std::string("\n");
  return text;
}

/// Turns one bit of a file.
void damage(const std::filesystem::path& path) {
  Bytes content = read_file(path);
  content.at(content.size() / 2) ^= std::byte{1};
  write_file_atomically(path, content);
}

struct Running {
  Running() : federation({}) {
    federation.start_server();
    federation.enrol(0);
    home = federation.device_home(0).string();
  }

  std::string examples() const { return output_of("fl-client", {"status", home, "--json"}); }

  Federation federation;
  std::string home;
};

}  // namespace

TEST_CASE("an unknown command or option or a missing home is refused with what would be right (I9)") {
  const TemporaryFolder folder;
  const std::string absent = (folder.path() / "absent").string();
  check_refused("fl-server", {"rum", absent}, {"rum", "run"}, 2);
  check_refused("fl-server", {"run", absent, "--lisen", "x"}, {"lisen", "listen"}, 2);
  check_refused("fl-client", {"predict", absent, "--tusk", "x"}, {"tusk", "task"}, 2);
  check_refused("fl-server", {"run", absent}, {absent, "fl-server init"});
  check_refused("fl-client", {"run", absent}, {absent, "enroll"});
  CHECK(!std::filesystem::exists(absent));
}

TEST_CASE(
    "recordings with a bad number or column or label are refused by file and line and nothing is kept (I9)") {
  Running test;
  const std::string before = test.examples();
  const std::string good = write(test.federation, "good.csv", recording(200, 0, ""));
  const std::string number =
      write(test.federation, "number.csv", recording(200, 17, "1,2,abc,4,5,6,7,WALKING"));
  const std::string label = write(test.federation, "label.csv", recording(200, 18, "1,2,3,4,5,6,7,DANCING"));
  const std::string column = write(test.federation, "column.csv", "x_acc,y_acc,label\n1,2,WALKING\n");
  check_refused("fl-client", {"import", test.home, good, number}, {"number.csv:17", "z_acc", "abc"});
  check_refused("fl-client", {"import", test.home, good, label}, {"label.csv:18", "DANCING", "WALKING"});
  check_refused("fl-client", {"import", test.home, good, column}, {"column.csv", "z_acc"});
  check_refused("fl-client", {"import", test.home, good, "/absent.csv"}, {"/absent.csv"});
  check_refused("fl-client", {"predict", test.home, label}, {"label.csv:18", "DANCING", "WALKING"});
  check_refused("fl-server", {"evaluate", test.federation.server_home().string(), "motion", "--data", label},
                {"label.csv:18", "DANCING", "WALKING"});
  CHECK(test.examples() == before);
  output_of("fl-client", {"import", test.home, good});
  CHECK(test.examples() != before);
}

TEST_CASE("a file that may not be read is refused by name (I9)") {
  Running test;
  const std::string closed = write(test.federation, "closed.csv", recording(200, 0, ""));
  std::filesystem::permissions(closed, std::filesystem::perms::none);
  const std::vector<std::string> command = {"import", test.home, closed};
  if (::geteuid() != 0) {
    check_refused("fl-client", command, {closed, "Permission denied"});
    return;
  }
  // Root may read everything, unless it goes without these rights.
  const auto without_rights = [](const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {"--bounding-set", "-dac_override,-dac_read_search", "--",
                                      program_path("fl-client").string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return Process("/usr/bin/setpriv", words).wait();
  };
  if (without_rights({"--help"}).exit_code != 0) {
    MESSAGE("skipped: root can read every file here, and /usr/bin/setpriv cannot take that right away");
    return;
  }
  const Ended ended = without_rights(command);
  CAPTURE(ended.errors);
  CHECK(ended.exit_code == 1);
  CHECK(contains(ended.errors, "fl-client: error: "));
  CHECK(contains(ended.errors, closed + ": Permission denied"));
}

TEST_CASE("a token that is invented or expired makes no home (I9)") {
  Running test;
  const std::string home = (test.federation.folder() / "new").string();
  net::EnrolmentToken token = net::EnrolmentToken::parse(test.federation.token());
  token.secret = secret_bytes(32);
  check_refused("fl-client", {"enroll", home, "--token", token.text()}, {"the token is not known here"});
  CHECK(contains(test.federation.stop_server().errors, "the token is not known here"));
  server::Ledger(test.federation.server_home() / "ledger.db")
      .add_token(sha256(token.secret), "", SystemClock().now() - std::chrono::seconds(1));
  test.federation.start_server();
  check_refused("fl-client", {"enroll", home, "--token", token.text()}, {"the token has expired"});
  CHECK(!std::filesystem::exists(home));
}

TEST_CASE("a token that is used or mistyped makes no home (I9)") {
  Running test;
  const std::string token = test.federation.token();
  const std::string home = (test.federation.folder() / "new").string();
  std::string mistyped = token;
  mistyped[mistyped.size() / 2] = mistyped[mistyped.size() / 2] == 'a' ? 'b' : 'a';
  check_refused("fl-client", {"enroll", home, "--token", mistyped}, {"token"}, 2);
  check_refused("fl-client", {"enroll", home, "--token", "hello"}, {"token"}, 2);
  CHECK(!std::filesystem::exists(home));
  output_of("fl-client", {"enroll", home, "--token", token});
  check_refused("fl-client", {"enroll", home + "2", "--token", token}, {"used"});
  CHECK(!std::filesystem::exists(home + "2"));
  check_refused("fl-client", {"enroll", home, "--token", test.federation.token()}, {home});
}

TEST_CASE("a model that is no archive or does not fit the task is refused and no task is added (I9)") {
  Running test;
  const std::string server = test.federation.server_home().string();
  const std::string archive = (test.federation.folder() / "linear.pt").string();
  output_of("fl-server", {"export", server, "motion", "--output", archive});
  const std::string garbage = write(test.federation, "garbage.pt", "this is no archive");
  const std::vector<std::string> data = {
      "--data.format", "windows", "--data.columns", "x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro",
      "--data.label",  "label",   "--data.step",    "25"};
  const auto add = [&](const std::string& model, const std::string& window, const std::string& labels) {
    std::vector<std::string> arguments = {"task", "add",           server, "other",    "--model",
                                          model,  "--data.window", window, "--labels", labels};
    arguments.insert(arguments.end(), data.begin(), data.end());
    return arguments;
  };
  check_refused("fl-server", add(garbage, "50", "A,B,C,D,E"), {"archive"});
  check_refused("fl-server", add("/absent.pt", "50", "A,B,C,D,E"), {"/absent.pt"});
  check_refused("fl-server", add(archive, "50", "A,B,C,D"), {"5", "4"});
  check_refused("fl-server", add(archive, "40", "A,B,C,D,E"), {"40"});
  CHECK(output_of("fl-server", {"task", "list", server, "--json"}).find("other") == std::string::npos);
}

TEST_CASE("a port in use and a home in use are refused (I9)") {
  Running test;
  check_refused("fl-server", {"run", test.federation.server_home().string()}, {"server"});
  const std::string other = (test.federation.folder() / "other").string();
  output_of("fl-server", {"init", other, "--listen", "127.0.0.1:" + std::to_string(test.federation.port())});
  check_refused("fl-server", {"run", other}, {std::to_string(test.federation.port()), "in use"});
  check_refused("fl-server", {"init", other}, {other});
}

TEST_CASE("tampered weights or a tampered manifest are not used and named and fetched anew (I6)") {
  Running test;
  const std::string file = test.federation.files_of(0).front();
  const std::filesystem::path models = std::filesystem::path(test.home) / "models" / "motion";
  const std::string weights = manifest_of(test.home).weights_hash.hex();
  const std::string whole = output_of("fl-client", {"predict", test.home, file});

  damage(models / "parts" / weights);
  check_refused("fl-client", {"predict", test.home, file},
                {"error: there is no model of motion", "version 1 cannot be used", weights, "its hash"});
  output_of("fl-client", {"sync", test.home});
  CHECK(output_of("fl-client", {"predict", test.home, file}) == whole);

  damage(models / "champion.json");
  check_refused("fl-client", {"predict", test.home, file},
                {"error: there is no model of motion", "champion.json"});
  output_of("fl-client", {"sync", test.home});
  CHECK(output_of("fl-client", {"predict", test.home, file}) == whole);
}
