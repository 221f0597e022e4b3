#include <sys/socket.h>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "server/admin/admin_socket.h"
#include "server/admin/administration.h"
#include "tests/unit/admin/sample_home.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;
namespace json = boost::json;

namespace {

ServerHome make_home(const std::filesystem::path& folder) {
  return ServerHome::create(folder, SampleHome::settings(7443), SystemClock().now());
}

/// Answers on a home's socket with `answer`, holding its lock as a server does.
class FakeServer {
 public:
  FakeServer(const ServerHome& home, const std::string& answer)
      : lock_(home.lock()),
        socket_(std::make_unique<AdminSocket>(context_.get_executor(), home.admin_socket(),
                                              [answer](std::string_view) { return answer; })),
        thread_([this] { context_.run(); }) {}
  ~FakeServer() {
    boost::asio::post(context_, [this] { socket_.reset(); });
    thread_.join();
  }

 private:
  FileDescriptor lock_;
  boost::asio::io_context context_;
  std::unique_ptr<AdminSocket> socket_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("where no server runs the command is executed here") {
  const TemporaryFolder folder;
  const ServerHome home = make_home(folder / "home");
  const json::value answer = json::parse(administer(home, R"({"command":"status"})"));
  CHECK(answer.at("running") == false);
  administer(home, R"({"command":"token"})");
  CHECK(home.lock().valid());
}

TEST_CASE("a running server is asked over its socket even where the path is long") {
  const TemporaryFolder folder;
  const ServerHome home = make_home(folder / std::string(120, 'h'));
  const FakeServer server(home, R"({"ok":true,"from":"the server"})");
  CHECK(json::parse(administer(home, R"({"command":"status"})")).at("from").as_string() == "the server");
}

TEST_CASE("a refusal comes back as the error it was (I9)") {
  const TemporaryFolder folder;
  const ServerHome home = make_home(folder / "home");
  CHECK(code_of([&] { administer(home, R"({"command":"rounds","task":"x"})"); }) == ErrorCode::not_found);
  CHECK(code_of([&] { administer(home, "no json"); }) == ErrorCode::invalid_argument);
  const FakeServer server(home, R"({"ok":false,"code":"resource_exhausted","error":"the disk is full"})");
  try {
    administer(home, "{}");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::resource_exhausted);
    CHECK(std::string(error.what()) == "the disk is full");
  }
}

TEST_CASE("an answer that is none is refused (I9)") {
  const TemporaryFolder folder;
  const ServerHome home = make_home(folder / "home");
  for (const char* text : {"", "hello", "[]", "{}"}) {
    const FakeServer server(home, text);
    CHECK(code_of([&] { administer(home, "{}"); }) == ErrorCode::protocol);
  }
}

TEST_CASE("a home that is locked by something that does not answer is said so (I9)") {
  const TemporaryFolder folder;
  const ServerHome home = make_home(folder / "home");
  const FileDescriptor lock = home.lock();
  CHECK(code_of([&] { administer(home, R"({"command":"status"})"); }) == ErrorCode::failed_precondition);
}
