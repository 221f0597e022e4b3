#include <csignal>

#include <doctest/doctest.h>

#include "common/base/files.h"
#include "tests/e2e/federation.h"

using namespace fl;
using namespace fl::test;

namespace {

/// Runs a command that must fail with one line of error that holds every one of `words`.
void check_refused(const std::string& program, const std::vector<std::string>& arguments,
                   const std::vector<std::string>& words, int exit_code = 1) {
  const Ended ended = run(program, arguments);
  CAPTURE(ended.errors);
  CHECK(ended.exit_code == exit_code);
  CHECK(ended.errors.find(program + ": error: ") == 0);
  for (const std::string& word : words) {
    CAPTURE(word);
    CHECK(ended.errors.find(word) != std::string::npos);
  }
}

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
  CHECK(test.examples() == before);
  output_of("fl-client", {"import", test.home, good});
  CHECK(test.examples() != before);
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

TEST_CASE("a tampered model is not used and the device says so (I6)") {
  Running test;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(test.home)) {
    const std::string path = entry.path().string();
    if (!entry.is_regular_file() || path.find("models") == std::string::npos) continue;
    Bytes content = read_file(entry.path());
    if (content.empty()) continue;
    content[content.size() / 2] ^= std::byte{1};
    write_file_atomically(entry.path(), content);
  }
  const Ended ended = run("fl-client", {"predict", test.home, test.federation.files_of(0).front()});
  CAPTURE(ended.errors);
  CHECK(ended.exit_code == 1);
  CHECK(ended.errors.find("fl-client: error: ") != std::string::npos);
}
