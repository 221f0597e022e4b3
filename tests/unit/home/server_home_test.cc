#include "server/home/server_home.h"

#include <csignal>
#include <fstream>
#include <functional>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "server/ledger/ledger.h"
#include "tests/support/temporary_folder.h"

using namespace fl;
using namespace fl::server;
using namespace std::string_view_literals;

namespace {

Timestamp now() {
  return SystemClock().now();
}

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status{};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

/// The sentence of the Error of this code that `action` throws.
std::string refusal(ErrorCode code, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(name(error.code()) == name(code));
    return error.what();
  }
  FAIL_CHECK("nothing was refused");
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

std::size_t entries_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

/// A home whose settings file is `settings`.
std::filesystem::path home_with(const test::TemporaryFolder& folder, std::string_view settings) {
  write_file_atomically(folder / "fl-server.ini", as_bytes(settings));
  write_file_atomically(folder / "ledger.db", as_bytes("a ledger"));
  return folder.path();
}

}  // namespace

TEST_CASE("a new home has keys and certificates and settings and a database for its owner alone") {
  const test::TemporaryFolder folder;
  ServerConfig config;
  config.listen = {"127.0.0.1", 0};
  config.public_host = "localhost";
  config.max_transfers = 3;
  config.max_handshakes = 5;
  config.max_address_handshakes = 4;
  config.address_connections_per_minute = 7;
  config.device_connections_per_minute = 6;
  config.metrics = net::Endpoint{"127.0.0.1", 9100};
  ServerHome::create(folder / "a" / "home", config, now());

  const ServerHome home = ServerHome::open(folder / "a" / "home");
  CHECK(home.config().listen.text() == "127.0.0.1:0");
  CHECK(home.config().public_host == "localhost");
  CHECK(home.config().max_transfers == 3);
  CHECK(home.config().max_handshakes == 5);
  CHECK(home.config().max_address_handshakes == 4);
  CHECK(home.config().address_connections_per_minute == 7);
  CHECK(home.config().device_connections_per_minute == 6);
  REQUIRE(home.config().metrics);
  CHECK(home.config().metrics->text() == "127.0.0.1:9100");
  CHECK(home.config().log_level == "info");
  CHECK(mode_of(home.folder()) == 0700);
  for (const char* secret : {"authority.key", "server.key", "signing.key", "ledger.db", "fl-server.ini"}) {
    CHECK(mode_of(home.folder() / secret) == 0600);
  }
  CHECK(home.authority().certificate.common_name() == "fl-server localhost");
  CHECK(home.server_identity().certificate.not_after() > now() + std::chrono::hours(24 * 365));
  CHECK(home.signing_key().public_key() == home.signing_key().public_key());
  CHECK(Ledger(home.ledger_path()).tasks().empty());
  CHECK(entries_in(folder / "a") == 1);
}

TEST_CASE("two homes have different keys") {
  const test::TemporaryFolder folder;
  const ServerHome first = ServerHome::create(folder / "1", ServerConfig(), now());
  const ServerHome second = ServerHome::create(folder / "2", ServerConfig(), now());
  CHECK_FALSE(first.signing_key().public_key() == second.signing_key().public_key());
  CHECK(first.authority().certificate.fingerprint() != second.authority().certificate.fingerprint());
}

TEST_CASE("a home may be made in an empty folder and in no other (I9)") {
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "empty");
  ServerHome::create(folder / "empty", ServerConfig(), now());
  const Digest before = ServerHome::open(folder / "empty").authority().certificate.fingerprint();
  CHECK(contains(refusal(ErrorCode::already_exists,
                         [&] { ServerHome::create(folder / "empty", ServerConfig(), now()); }),
                 "already"));
  CHECK(ServerHome::open(folder / "empty").authority().certificate.fingerprint() == before);

  std::filesystem::create_directory(folder / "used");
  std::ofstream(folder / "used" / "diary.txt") << "mine";
  CHECK(contains(
      refusal(ErrorCode::already_exists, [&] { ServerHome::create(folder / "used", ServerConfig(), now()); }),
      "not empty"));
  CHECK(entries_in(folder / "used") == 1);
  std::ofstream(folder / "file") << "mine";
  refusal(ErrorCode::already_exists, [&] { ServerHome::create(folder / "file", ServerConfig(), now()); });
  CHECK(entries_in(folder.path()) == 3);
}

TEST_CASE("a home that cannot be made leaves nothing behind (I9)") {
  const test::TemporaryFolder folder;
  ServerConfig config;
  config.public_host = "not a host";
  CHECK(
      contains(refusal(ErrorCode::invalid_argument, [&] { ServerHome::create(folder / "h", config, now()); }),
               "not a host"));
  config = ServerConfig();
  config.log_level = "inof";
  CHECK(
      contains(refusal(ErrorCode::invalid_argument, [&] { ServerHome::create(folder / "h", config, now()); }),
               "did you mean info?"));
  std::ofstream(folder / "file") << "mine";
  CHECK_THROWS_AS(ServerHome::create(folder / "file" / "h", ServerConfig(), now()), Error);
  CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("where there is no home it is said how to make one (I9)") {
  const test::TemporaryFolder folder;
  const std::string path = (folder / "absent").string();
  CHECK(contains(refusal(ErrorCode::not_found, [&] { ServerHome::open(path); }), "fl-server init " + path));
}

TEST_CASE("wrong settings are refused with file and line and key (I9)") {
  const test::TemporaryFolder folder;
  const auto refused = [&](std::string_view settings) {
    return refusal(ErrorCode::invalid_argument, [&] { ServerHome::open(home_with(folder, settings)); });
  };
  CHECK(contains(refused("# x\nlistn = 1.2.3.4:5\n"),
                 "fl-server.ini:2: listn: unknown setting; did you mean listen?"));
  CHECK(contains(refused("listen = 1.2.3.4\n"), "fl-server.ini:1: listen: "));
  CHECK(contains(refused("host = x\nmax-transfers = 0\n"),
                 "fl-server.ini:2: max-transfers: 0 is out of range"));
  CHECK(contains(refused("max-connections = many\n"), "'many' is not a whole number"));
  CHECK(contains(refused("max-handshakes = 0\n"), "fl-server.ini:1: max-handshakes: 0 is out of range"));
  CHECK(contains(refused("max-address-handshakes = 100001\n"), "at most 100000"));
  CHECK(contains(refused("address-connections-per-minute = -1\n"), "out of range"));
  CHECK(contains(refused("device-connections-per-minute = 0\n"), "out of range"));
  CHECK(contains(refused("metrics = on\n"), "fl-server.ini:1: metrics: "));
  CHECK(contains(refused("metrics = :7444\n"), "metrics"));
  CHECK(contains(refused("device-certificate-days = 99999\n"), "at most 3650"));
  CHECK(contains(refused("log-level = loud\n"), "trace, debug, info, warn, error"));
  CHECK(contains(refused("host = a\nhost = b\n"), "fl-server.ini:2: host"));
  CHECK(contains(refused("what\n"), "fl-server.ini:1: 'what' is no setting"));
  CHECK(contains(refused("wh\0at\n"sv), "fl-server.ini:1: 'wh\\x00at' is no setting"));
  CHECK(contains(refused("host = x\n[listen\n"), "fl-server.ini:2: '[listen' is no setting"));
  CHECK(contains(refused("\xEF\xBB\xBFhost = a\nhost = b\n"), "fl-server.ini:2: host"));
}

TEST_CASE("a server whose address is not said listens nowhere (I9)") {
  const test::TemporaryFolder folder;
  const auto refused = [&](std::string_view settings) {
    return refusal(ErrorCode::invalid_argument, [&] { ServerHome::open(home_with(folder, settings)); });
  };
  CHECK(contains(refused(""), "the setting 'listen' is missing"));
  CHECK(contains(refused("listen = 127.0.0.1:7\n"), "the setting 'host' is missing"));
}

TEST_CASE("a host under which no device can reach the server is refused (I9)") {
  const test::TemporaryFolder folder;
  for (const std::string& host :
       {std::string("-"), std::string("."), std::string("a..b"), std::string("a\nb"), std::string("0.0.0.0"),
        std::string("::"), std::string(65, 'a')}) {
    ServerConfig config;
    config.public_host = host;
    CHECK(contains(
        refusal(ErrorCode::invalid_argument, [&] { ServerHome::create(folder / "h", config, now()); }),
        "host = "));
  }
  CHECK(entries_in(folder.path()) == 0);
}

TEST_CASE("a home without its ledger is refused rather than given an empty one (I9)") {
  const test::TemporaryFolder folder;
  ServerHome::create(folder / "h", ServerConfig(), now());
  for (const bool gone : {false, true}) {
    if (gone) {
      std::filesystem::remove(folder / "h" / "ledger.db");
    } else {
      std::filesystem::resize_file(folder / "h" / "ledger.db", 0);
    }
    CHECK(
        contains(refusal(ErrorCode::invalid_data, [&] { ServerHome::open(folder / "h"); }), "from a backup"));
    CHECK(std::filesystem::exists(folder / "h" / "ledger.db") != gone);
  }
}

TEST_CASE("settings that are left out have their defaults") {
  const test::TemporaryFolder folder;
  const ServerHome home = ServerHome::open(home_with(folder, "listen = 127.0.0.1:7\nhost = example.org\n"));
  CHECK(home.config().listen.text() == "127.0.0.1:7");
  CHECK(!home.config().metrics);
  CHECK(home.config().public_host == "example.org");
  CHECK(home.config().device_certificate_days == 30);
}

TEST_CASE("a home is one process's at a time and the other is named (I9)") {
  const test::TemporaryFolder folder;
  const ServerHome home = ServerHome::create(folder / "home", ServerConfig(), now());
  {
    const FileDescriptor lock = home.lock();
    CHECK(contains(refusal(ErrorCode::failed_precondition, [&] { home.lock(); }),
                   "in use by process " + std::to_string(::getpid())));
  }
  CHECK(home.lock().valid());
}

TEST_CASE("a lock goes with the process that held it") {
  const test::TemporaryFolder folder;
  const ServerHome home = ServerHome::create(folder / "home", ServerConfig(), now());
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    home.lock().release();
    ::kill(::getpid(), SIGKILL);
  }
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(home.lock().valid());
}
