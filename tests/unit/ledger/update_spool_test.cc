#include "server/ledger/update_spool.h"

#include <csignal>
#include <fstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

const std::string content = "the delta of a device";

IncomingUpdate receive(const UpdateSpool& spool) {
  return spool.receive("har", 1, "a", digest_of(content), content.size());
}

}  // namespace

TEST_CASE("an update that came whole lies under its final path") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  IncomingUpdate update = receive(spool);
  CHECK(update.offset() == 0);
  update.append(as_bytes(content.substr(0, 5)));
  CHECK_FALSE(update.complete());
  update.append(as_bytes(content.substr(5)));
  CHECK(update.complete());
  CHECK(update.finish());
  CHECK(as_text(read_file(spool.path("har", 1, "a", digest_of(content)))) == content);
}

TEST_CASE("a transfer that was cut off goes on where it was (I10)") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  receive(spool).append(as_bytes(content.substr(0, 9)));
  IncomingUpdate again = receive(UpdateSpool(folder / "spool"));
  CHECK(again.offset() == 9);
  again.append(as_bytes(content.substr(9)));
  CHECK(again.finish());
  CHECK(as_text(read_file(spool.path("har", 1, "a", digest_of(content)))) == content);
}

TEST_CASE("a device has one update on its way in a round and no more of the disk") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  const auto begin = [&](const std::string& device, const std::string& hashed) {
    spool.receive("har", 1, device, digest_of(hashed), 100).append(as_bytes("some bytes"));
  };
  begin("a-b", "its own");
  for (int i = 0; i < 20; ++i) begin("a", "try " + std::to_string(i));
  const auto files = std::filesystem::directory_iterator(folder / "spool" / "har" / "1");
  CHECK(std::distance(files, std::filesystem::directory_iterator()) == 2);
  CHECK(spool.receive("har", 1, "a-b", digest_of("its own"), 100).offset() == 10);
}

TEST_CASE("rounds that are over leave nothing once only the open one is kept") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  for (const std::uint64_t round : {1U, 2U, 3U}) {
    spool.receive("har", round, "a", digest_of(content), content.size()).append(as_bytes("part"));
  }
  spool.keep_only("har", {2});
  CHECK_FALSE(std::filesystem::exists(folder / "spool" / "har" / "1"));
  CHECK_FALSE(std::filesystem::exists(folder / "spool" / "har" / "3"));
  CHECK(spool.receive("har", 2, "a", digest_of(content), content.size()).offset() == 4);
  spool.keep_only("absent", {1});
}

TEST_CASE("a round that is kept loses all but the updates that count") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  for (const char* device : {"a", "b"}) {
    IncomingUpdate update = spool.receive("har", 1, device, digest_of(content), content.size());
    update.append(as_bytes(content));
    REQUIRE(update.finish());
  }
  spool.receive("har", 1, "c", digest_of(content), content.size()).append(as_bytes("part"));
  const std::filesystem::path kept = spool.path("har", 1, "b", digest_of(content));
  spool.keep_only("har", 1, {kept});
  const auto files = std::filesystem::directory_iterator(folder / "spool" / "har" / "1");
  CHECK(std::distance(files, std::filesystem::directory_iterator()) == 1);
  CHECK(as_text(read_file(kept)) == content);
}

TEST_CASE("a finished update that does not count can be removed") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  spool.prepare("har", 1);
  spool.prepare("har", 1);
  IncomingUpdate update = receive(spool);
  update.append(as_bytes(content));
  REQUIRE(update.finish());
  spool.remove("har", 1, "a", digest_of(content));
  spool.remove("har", 1, "a", digest_of(content));
  CHECK_FALSE(std::filesystem::exists(spool.path("har", 1, "a", digest_of(content))));
}

TEST_CASE("who watches an update is given each of its bytes once also of what was there before") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  std::string seen;
  const auto watched = [&] {
    seen.clear();
    return spool.receive("har", 1, "a", digest_of(content), content.size(),
                         [&](ByteView bytes) { seen += as_text(bytes); });
  };
  watched().append(as_bytes(content.substr(0, 5)));
  CHECK(seen == content.substr(0, 5));
  {
    IncomingUpdate rest = watched();
    CHECK(seen == content.substr(0, 5));
    rest.append(as_bytes(content.substr(5)));
    CHECK(seen == content);
    REQUIRE(rest.finish());
  }
  CHECK(watched().complete());
  CHECK(seen == content);
}

TEST_CASE("an update that was finished before is complete at once") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  {
    IncomingUpdate update = receive(spool);
    update.append(as_bytes(content));
    REQUIRE(update.finish());
  }
  IncomingUpdate again = receive(spool);
  CHECK(again.complete());
  CHECK(again.finish());
  CHECK(std::filesystem::exists(spool.path("har", 1, "a", digest_of(content))));
}

TEST_CASE("bytes that are not the announced ones are gone and may be sent again (I8)") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  IncomingUpdate update = receive(spool);
  update.append(as_bytes(std::string(content.size(), 'x')));
  CHECK_FALSE(update.finish());
  CHECK_FALSE(std::filesystem::exists(spool.path("har", 1, "a", digest_of(content))));
  CHECK(receive(spool).offset() == 0);
}

TEST_CASE("more than was announced and less than was announced are refused (I8)") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  IncomingUpdate update = receive(spool);
  update.append(as_bytes(content.substr(1)));
  CHECK(code_of([&] { update.finish(); }) == ErrorCode::failed_precondition);
  CHECK(code_of([&] { update.append(as_bytes("two")); }) == ErrorCode::protocol);
  CHECK(update.offset() == content.size() - 1);
}

TEST_CASE("a part that is longer than announced begins anew") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  {
    const IncomingUpdate update = receive(spool);
  }
  std::ofstream(spool.path("har", 1, "a", digest_of(content)).string() + ".part") << content << content;
  IncomingUpdate update = receive(spool);
  CHECK(update.offset() == 0);
  update.append(as_bytes(content));
  CHECK(update.finish());
}

TEST_CASE("one update is received once at a time and different ones together") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  const IncomingUpdate first = receive(spool);
  CHECK(code_of([&] { receive(spool); }) == ErrorCode::failed_precondition);
  const IncomingUpdate other = spool.receive("har", 1, "b", digest_of(content), content.size());
  CHECK(other.offset() == 0);
}

TEST_CASE("names that would leave the spool are refused (I8)") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  for (const char* name : {"", "..", "../x", "a/b", "A", "a.b", "a b"}) {
    CHECK(code_of([&] { (void)spool.path(name, 1, "a", {}); }) == ErrorCode::invalid_argument);
    CHECK(code_of([&] { (void)spool.path("har", 1, name, {}); }) == ErrorCode::invalid_argument);
    CHECK(code_of([&] { spool.remove_round(name, 1); }) == ErrorCode::invalid_argument);
  }
}

TEST_CASE("a closed round leaves nothing in the spool") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  receive(spool).append(as_bytes("x"));
  const IncomingUpdate kept = spool.receive("har", 2, "a", digest_of(content), content.size());
  spool.remove_round("har", 1);
  spool.remove_round("har", 1);
  CHECK_FALSE(std::filesystem::exists(folder / "spool" / "har" / "1"));
  CHECK(std::filesystem::exists(folder / "spool" / "har" / "2"));
}

TEST_CASE("a closed buffer leaves what is being taken in and what devices at work have begun to send") {
  const TemporaryFolder folder;
  const UpdateSpool spool(folder / "spool");
  const auto path = [&](const std::string& device) {
    return spool.path("har", 0, device, digest_of(content));
  };
  for (const char* device : {"a", "b-2"}) {
    IncomingUpdate update = spool.receive("har", 0, device, digest_of(content), content.size());
    update.append(as_bytes(content));
    CHECK(update.finish());
  }
  for (const char* device : {"c", "d-4", "e"}) {
    spool.receive("har", 0, device, digest_of(content), content.size()).append(as_bytes("part"));
  }
  spool.keep_only("har", 0, {path("b-2"), path("e")}, {"a", "d-4"});
  CHECK_FALSE(std::filesystem::exists(path("a")));
  CHECK(std::filesystem::exists(path("b-2")));
  CHECK_FALSE(std::filesystem::exists(path("c").string() + ".part"));
  CHECK(std::filesystem::exists(path("d-4").string() + ".part"));
  CHECK(std::filesystem::exists(path("e").string() + ".part"));
  spool.keep_only("absent", 0, {}, {});
}

TEST_CASE("updates of an asynchronous task lie under one number and of others under their round's") {
  RoundPlan plan;
  CHECK(spool_number(plan, 7) == 7);
  plan.server_max_staleness = 3;
  CHECK(spool_number(plan, 7) == 0);
}

TEST_CASE("a full disk is said so and the transfer can go on later (I9 and I10)") {
  const TemporaryFolder folder;
  const std::string large(100'000, 'y');
  const UpdateSpool spool(folder / "spool");
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{50'000, 50'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    IncomingUpdate update = spool.receive("har", 1, "a", digest_of(large), large.size());
    const bool refused = code_of([&] { update.append(as_bytes(large)); }).has_value();
    ::_exit(refused && update.offset() == 0 ? 7 : 8);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 7);
  IncomingUpdate again = spool.receive("har", 1, "a", digest_of(large), large.size());
  CHECK(again.offset() == 50'000);
  again.append(as_bytes(large.substr(50'000)));
  CHECK(again.finish());
}
