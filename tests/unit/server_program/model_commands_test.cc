#include <array>
#include <csignal>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "server/admin/admin_socket.h"
#include "server/admin/administration.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/server_program/running.h"

using namespace fl;
using namespace fl::test;
namespace json = boost::json;

namespace {

/// Sixteen samples of each label.
std::string write_csv(const TemporaryFolder& folder) {
  const std::string path = (folder / "data.csv").string();
  std::ofstream file(path);
  file << "x,y,label\n";
  for (int i = 0; i < 16; ++i) file << "0.1,0.2,rest\n";
  for (int i = 0; i < 16; ++i) file << i % 2 << ",1.5,walk\n";
  return path;
}

std::size_t blobs_in(const std::string& home) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(home + "/blobs"), {}));
}

/// A server, as a process of its own, that is gone once it has added a task and before it has said so.
class EndsUnanswering {
 public:
  explicit EndsUnanswering(const std::string& home) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const FileDescriptor read_end(ends[0]);
    const FileDescriptor write_end(ends[1]);
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) serve(home, write_end);
    char listens = 0;
    REQUIRE(::read(read_end.get(), &listens, 1) == 1);
  }
  EndsUnanswering(const EndsUnanswering&) = delete;
  EndsUnanswering& operator=(const EndsUnanswering&) = delete;
  ~EndsUnanswering() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

 private:
  [[noreturn]] static void serve(const std::string& path, const FileDescriptor& ready) {
    const server::ServerHome home = server::ServerHome::open(path);
    const FileDescriptor lock = home.lock();
    server::Ledger ledger(home.ledger_path());
    server::BlobStore blobs(home.blobs_path());
    server::Registry registry(ledger, blobs, home.signing_key());
    const SystemClock clock;
    server::Administration administration(home, ledger, blobs, registry, clock, {});
    boost::asio::io_context context;
    const server::AdminSocket socket(context.get_executor(), home.admin_socket(),
                                     [&](std::string_view request) {
                                       std::string answer = administration.execute(request);
                                       if (request.find("task-add") != std::string_view::npos) ::_exit(0);
                                       return answer;
                                     });
    if (::write(ready.get(), "1", 1) == 1) context.run();
    ::_exit(1);
  }

  pid_t child_ = -1;
};

std::vector<std::string> adding(const std::string& home, const std::vector<std::string>& more) {
  return joined(joined({"task", "add", home, "har"}, window_options()), more);
}

}  // namespace

TEST_CASE("a task of a built-in architecture is added and tested and exported and brought back") {
  const TemporaryFolder folder;
  const std::string home = (folder / "home").string();
  run({"init", home});
  const Outcome added = run(adding(home, {"--architecture", "cnn1d", "--hidden", "4,4,8"}));
  INFO(added.err);
  REQUIRE(added.status == program::exit_ok);
  CHECK(contains(added.out, "[-1, 2, 8] to [-1, 2]"));
  CHECK(blobs_in(home) == 2);

  const Outcome tested = run({"evaluate", home, "har", "--data", write_csv(folder), "--json"});
  REQUIRE(tested.status == program::exit_ok);
  const json::value row = json::parse(tested.out);
  CHECK(row.at("version") == 1);
  CHECK(row.at("round").is_null());
  CHECK(row.at("loss").as_double() > 0.0);
  CHECK(row.at("accuracy").to_number<double>() >= 0.0);

  const std::string archive = (folder / "har.pt").string();
  REQUIRE(run({"export", home, "har", "--output", archive}).status == program::exit_ok);
  const std::string second = (folder / "second").string();
  run({"init", second});
  CHECK(run(adding(second, {"--model", archive})).status == program::exit_ok);
  const Outcome again = run({"evaluate", second, "har", "--data", write_csv(folder), "--all", "--json"});
  CHECK(json::parse(again.out).at("loss") == row.at("loss"));
}

TEST_CASE("a task that was added by a server that then ended unanswering keeps its model") {
  const TemporaryFolder folder;
  const std::string home = (folder / "home").string();
  run({"init", home, "--listen", "127.0.0.1:7443"});
  {
    const EndsUnanswering server(home);
    const Outcome added = run(adding(home, {"--architecture", "linear"}));
    CHECK(added.status == program::exit_failed);
    CHECK(contains(added.err, "the server ended before it had answered"));
  }
  CHECK(blobs_in(home) == 2);
  const Outcome checked = run({"fsck", home});
  CHECK(checked.status == program::exit_ok);
  CHECK(contains(checked.out, "has no fault"));
}

TEST_CASE("models and data that do not fit are refused and leave the home as it was (I9)") {
  const TemporaryFolder folder;
  const std::string home = (folder / "home").string();
  run({"init", home});
  const std::string text = (folder / "text.pt").string();
  std::ofstream(text) << "not an archive";
  const Outcome no_archive = run(adding(home, {"--model", text}));
  CHECK(no_archive.status == program::exit_failed);
  CHECK(contains(no_archive.err, "text.pt: "));
  CHECK(run(adding(home, {"--model", (folder / "absent.pt").string()})).status == program::exit_failed);
  CHECK(run(adding(home, {"--architecture", "cnn9d"})).status == program::exit_wrong_usage);
  CHECK(contains(run(adding(home, {"--architecture", "cnn1d", "--hidden", "4,3.7,8"})).err,
                 "'3.7' is not a whole number"));
  CHECK(run(adding(home, {"--architecture", "cnn2d"})).status == program::exit_wrong_usage);
  CHECK(blobs_in(home) == 0);

  REQUIRE(run(adding(home, {"--architecture", "cnn1d"})).status == program::exit_ok);
  const Outcome twice = run(adding(home, {"--architecture", "cnn1d", "--round.seed", "9"}));
  CHECK(twice.status == program::exit_failed);
  CHECK(contains(twice.err, "there is a task 'har' already"));
  CHECK(blobs_in(home) == 2);
  std::ofstream(folder / "bad.csv") << "x,y,label\n1,2,rest\n1,oops,rest\n";
  const Outcome bad = run({"evaluate", home, "har", "--data", (folder / "bad.csv").string()});
  CHECK(bad.status == program::exit_failed);
  CHECK(contains(bad.err, "bad.csv:3"));
  CHECK(run({"evaluate", home, "har"}).status == program::exit_wrong_usage);
  CHECK(run({"evaluate", home, "har", "--data", text, "--all", "--version", "1"}).status ==
        program::exit_wrong_usage);
}
