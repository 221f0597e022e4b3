#include <chrono>
#include <fstream>

#include <doctest/doctest.h>

#include "client/home/device_home.h"
#include "common/base/error.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/client/examples.h"
#include "tests/unit/client/federation.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
using std::filesystem::perms;
namespace fs = std::filesystem;

namespace {

const net::Endpoint server{"127.0.0.1", 7443};
constexpr perms owner_only = perms::owner_read | perms::owner_write;

std::size_t entries_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a home that was made opens with what it was made of") {
  const TemporaryFolder folder;
  const Federation federation;
  federation.make_home(folder / "home", server);
  const DeviceHome home = DeviceHome::open(folder / "home");
  CHECK(home.settings().device == "device-1");
  CHECK(home.settings().name == "kitchen");
  CHECK(home.settings().server.text() == "127.0.0.1:7443");
  CHECK(home.settings().signing_key == federation.signing_key.public_key());
  CHECK(home.authority().fingerprint() == federation.authority.certificate.fingerprint());
  CHECK(home.identity().certificate.common_name() == "device-1");
}

TEST_CASE("a home is its owner's alone and so are its keys") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "home");
  Federation().make_home(folder / "home", server);
  CHECK(fs::status(folder / "home").permissions() == perms::owner_all);
  CHECK(fs::status(folder / "home/identity-1/device.key").permissions() == owner_only);
  CHECK(fs::status(folder / "home/device.json").permissions() == owner_only);
}

TEST_CASE("a draft that is not finished leaves the folder as it was (I9)") {
  const TemporaryFolder folder;
  {
    const HomeDraft draft(folder / "new/deep/home");
  }
  CHECK_FALSE(fs::exists(folder / "new"));
  fs::create_directory(folder / "there");
  std::ofstream(folder / "there/file") << "x";
  {
    const HomeDraft draft(folder / "there");
  }
  CHECK(entries_in(folder / "there") == 1);
}

TEST_CASE("a home is never made where there is one (I9)") {
  const TemporaryFolder folder;
  const Federation federation;
  federation.make_home(folder / "home", server);
  CHECK(code_thrown_by([&] { const HomeDraft draft(folder / "home"); }) == ErrorCode::already_exists);
  CHECK(DeviceHome::open(folder / "home").settings().device == "device-1");
}

TEST_CASE("two processes do not make the same home") {
  const TemporaryFolder folder;
  const HomeDraft draft(folder / "home");
  CHECK(code_thrown_by([&] { const HomeDraft other(folder / "home"); }) == ErrorCode::failed_precondition);
  CHECK(fs::exists(folder / "home/identity-1/device.key"));
}

TEST_CASE("a folder that is no home is not found and says how to make one") {
  const TemporaryFolder folder;
  CHECK(code_thrown_by([&] { DeviceHome::open(folder / "none"); }) == ErrorCode::not_found);
  CHECK(sentence_thrown_by([&] { DeviceHome::open(folder / "none"); }).find("fl-client enroll") !=
        std::string::npos);
}

TEST_CASE("only one holder of the lock at a time") {
  const TemporaryFolder folder;
  const DeviceHome home = Federation().make_home(folder / "home", server);
  {
    const FileDescriptor lock = home.lock();
    CHECK(code_thrown_by([&] { home.lock(); }) == ErrorCode::failed_precondition);
  }
  CHECK(home.lock().valid());
}

TEST_CASE("a damaged device.json is an error that names it and what is wrong") {
  const TemporaryFolder folder;
  Federation().make_home(folder / "home", server);
  const fs::path file = folder / "home/device.json";
  const std::string good = read_text_file(file);
  const auto breaks = [&](const std::string& text) {
    write_file_atomically(file, as_bytes(text));
    const std::string sentence = sentence_thrown_by([&] { DeviceHome::open(folder / "home"); });
    CHECK(sentence.find("device.json is damaged") != std::string::npos);
  };
  breaks("");
  breaks("[]");
  breaks(good.substr(0, good.size() / 2));
  breaks(R"({"format":2})");
  breaks(R"({"format":1})");
  std::string elsewhere = good;
  elsewhere.replace(elsewhere.find("identity-1"), 10, "../x/ident");
  breaks(elsewhere);
}

TEST_CASE("a renewed identity replaces key and certificate together") {
  const TemporaryFolder folder;
  const Federation federation;
  DeviceHome home = federation.make_home(folder / "home", server);
  const net::Identity fresh = federation.issue("device-1");
  home.replace_identity(fresh);
  CHECK(home.identity().certificate.serial() == fresh.certificate.serial());
  const DeviceHome again = DeviceHome::open(folder / "home");
  CHECK(again.identity().certificate.serial() == fresh.certificate.serial());
  CHECK_FALSE(fs::exists(folder / "home/identity-1"));
  CHECK(fs::status(folder / "home/identity-2/device.key").permissions() == owner_only);
}

TEST_CASE("a renewal that was interrupted leaves the old identity and can be repeated") {
  const TemporaryFolder folder;
  const Federation federation;
  DeviceHome home = federation.make_home(folder / "home", server);
  const std::string serial = home.identity().certificate.serial();
  fs::create_directory(folder / "home/identity-2");
  std::ofstream(folder / "home/identity-2/device.key") << "half a ke";
  CHECK(DeviceHome::open(folder / "home").identity().certificate.serial() == serial);
  const net::Identity fresh = federation.issue("device-1");
  home.replace_identity(fresh);
  CHECK(DeviceHome::open(folder / "home").identity().certificate.serial() == fresh.certificate.serial());
}
