#include "server/admin/admin_socket.h"

#include <cstring>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "tests/support/temporary_folder.h"

using namespace fl;
using namespace fl::server;

namespace {

/// A socket that answers "you said X", on a thread of its own.
class Echo {
 public:
  explicit Echo(const std::filesystem::path& path)
      : socket_(std::make_unique<AdminSocket>(context_.get_executor(), path,
                                              [this](std::string_view request) {
                                                ++calls;
                                                return "you said " + std::string(request);
                                              })),
        thread_([this] { context_.run(); }) {}

  ~Echo() {
    boost::asio::post(context_, [this] { socket_.reset(); });
    thread_.join();
  }

  std::atomic<int> calls{0};

 private:
  boost::asio::io_context context_;
  std::unique_ptr<AdminSocket> socket_;
  std::thread thread_;
};

FileDescriptor connect_to(const std::filesystem::path& path) {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return socket;
}

/// Everything until the other side closes.
std::string receive_all(const FileDescriptor& socket) {
  std::string text;
  char piece[4096];
  for (ssize_t count = 0; (count = ::recv(socket.get(), piece, sizeof piece, 0)) > 0;) {
    text.append(piece, static_cast<std::size_t>(count));
  }
  return text;
}

/// False where the other side has closed before all was sent.
bool send_text(const FileDescriptor& socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

TEST_CASE("a line is answered with a line and then the connection ends") {
  const test::TemporaryFolder folder;
  const Echo echo(folder / "admin.sock");
  for (const char* text : {"hello", "", "again"}) {
    const FileDescriptor socket = connect_to(folder / "admin.sock");
    CHECK(send_text(socket, std::string(text) + "\n"));
    CHECK(receive_all(socket) == "you said " + std::string(text) + "\n");
  }
}

TEST_CASE("the socket is for its owner alone") {
  const test::TemporaryFolder folder;
  const Echo echo(folder / "admin.sock");
  struct stat status{};
  REQUIRE(stat((folder / "admin.sock").c_str(), &status) == 0);
  CHECK(S_ISSOCK(status.st_mode));
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a request may come in pieces and several may come at a time") {
  const test::TemporaryFolder folder;
  const Echo echo(folder / "admin.sock");
  const FileDescriptor slow = connect_to(folder / "admin.sock");
  const FileDescriptor quick = connect_to(folder / "admin.sock");
  send_text(slow, "slo");
  send_text(quick, "quick\n");
  CHECK(receive_all(quick) == "you said quick\n");
  send_text(slow, "w\n");
  CHECK(receive_all(slow) == "you said slow\n");
}

TEST_CASE("half a request and an endless one are not executed and cost one connection (I8)") {
  const test::TemporaryFolder folder;
  Echo echo(folder / "admin.sock");
  {
    const FileDescriptor half = connect_to(folder / "admin.sock");
    send_text(half, "half a request");
  }
  const FileDescriptor endless = connect_to(folder / "admin.sock");
  const std::string piece(1U << 20U, 'x');
  int pieces = 0;
  while (pieces < 64 && send_text(endless, piece)) ++pieces;
  CHECK(pieces < 20);
  CHECK(receive_all(endless).empty());
  const FileDescriptor next = connect_to(folder / "admin.sock");
  send_text(next, "still there\n");
  CHECK(receive_all(next) == "you said still there\n");
  CHECK(echo.calls == 1);
}

TEST_CASE("a socket that a dead server left is replaced and a stopped one is gone") {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "admin.sock") << "left behind";
  {
    const Echo echo(folder / "admin.sock");
    const FileDescriptor socket = connect_to(folder / "admin.sock");
    send_text(socket, "x\n");
    CHECK(receive_all(socket) == "you said x\n");
  }
  CHECK_FALSE(std::filesystem::exists(folder / "admin.sock"));
}

TEST_CASE("stopping ends connections that wait") {
  const test::TemporaryFolder folder;
  FileDescriptor socket;
  {
    const Echo echo(folder / "admin.sock");
    socket = connect_to(folder / "admin.sock");
    send_text(socket, "never end");
  }
  CHECK(receive_all(socket).empty());
}

TEST_CASE("a path longer than the system's sockets take works all the same") {
  const test::TemporaryFolder folder;
  const std::filesystem::path deep = folder / std::string(120, 'd');
  std::filesystem::create_directory(deep);
  const Echo echo(deep / "admin.sock");
  CHECK(std::filesystem::exists(deep / "admin.sock"));
}

TEST_CASE("a socket in a folder that is not there is refused by name (I9)") {
  const test::TemporaryFolder folder;
  boost::asio::io_context context;
  try {
    const AdminSocket socket(context.get_executor(), folder / "absent" / "admin.sock", {});
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("absent/admin.sock") != std::string::npos);
  }
}
