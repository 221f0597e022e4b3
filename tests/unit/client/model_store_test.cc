#include "client/store/model_store.h"

#include <fstream>

#include <doctest/doctest.h>

#include "client/store/model_stores.h"
#include "common/base/error.h"
#include "common/base/files.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/client/adopting.h"
#include "tests/unit/client/examples.h"
#include "tests/unit/client/federation.h"
#include "tests/unit/client/in_child.h"

using namespace fl;
using namespace fl::client;
using namespace fl::test;
namespace fs = std::filesystem;

namespace {

/// A store as a device opens it.
struct OpenedStore : ModelStore {
  OpenedStore(const fs::path& folder, const PublicKey& key, Access access)
      : ModelStore(folder, "har", key, access) {
    if (access == Access::owner) check_parts();
  }
};

/// One task's store and the federation whose versions it holds.
struct Shelf {
  TemporaryFolder folder;
  Federation federation;

  OpenedStore open(Access access = Access::owner) const {
    return {folder / "har", federation.signing_key.public_key(), access};
  }
  PublishedVersion adopt(ModelStore& store, std::uint64_t number) const {
    const PublishedVersion version = federation.publish("har", number, static_cast<std::int64_t>(number % 3));
    test::adopt(store, version);
    return version;
  }
  fs::path part(const Digest& hash) const { return folder / "har" / "parts" / hash.hex(); }
  fs::path operator/(const std::string& file) const { return folder / "har" / file; }
};

std::uint64_t serving(const ModelStore& store) {
  const auto champion = store.champion();
  return champion ? champion->manifest.version : 0;
}

/// Changes one byte in the middle of a file.
void tamper(const fs::path& file) {
  Bytes bytes = read_file(file);
  bytes[bytes.size() / 2] ^= std::byte{1};
  write_file_atomically(file, bytes);
}

Weights read_weights(const ModelStore& store) {
  const Manifest manifest = store.champion()->manifest;
  Weights weights(manifest.weights_count);
  store.read_weights(manifest, weights);
  return weights;
}

}  // namespace

TEST_CASE("a version that was adopted serves and does so after reopening") {
  const Shelf shelf;
  PublishedVersion version;
  {
    auto store = shelf.open();
    CHECK(serving(store) == 0);
    version = shelf.adopt(store, 1);
    CHECK(serving(store) == 1);
  }
  auto store = shelf.open();
  CHECK(serving(store) == 1);
  CHECK(store.champion()->evaluation->accuracy == 0.75);
  CHECK(store.read_archive(store.champion()->manifest) == version.archive);
  CHECK(read_weights(store) == version.weights);
  CHECK(store.take_troubles().empty());
}

TEST_CASE("the version before stays as last-good and older parts are removed") {
  const Shelf shelf;
  auto store = shelf.open();
  const PublishedVersion first = shelf.adopt(store, 1);
  const PublishedVersion second = shelf.adopt(store, 2);
  const PublishedVersion third = shelf.adopt(store, 3);
  CHECK(serving(store) == 3);
  CHECK(store.last_good()->manifest.version == 2);
  CHECK_FALSE(fs::exists(shelf.part(first.manifest.weights_hash)));
  CHECK(fs::exists(shelf.part(second.manifest.weights_hash)));
  CHECK(fs::exists(shelf.part(third.manifest.weights_hash)));
  CHECK(fs::exists(shelf.part(third.manifest.archive_hash)));
}

TEST_CASE("nothing older than what was accepted is accepted (I6)") {
  const Shelf shelf;
  auto store = shelf.open();
  shelf.adopt(store, 5);
  for (const std::uint64_t number : {std::uint64_t{1}, std::uint64_t{4}, std::uint64_t{5}}) {
    const PublishedVersion old = shelf.federation.publish("har", number, 0);
    CHECK(code_thrown_by([&] { store.check(old.signed_manifest); }) == ErrorCode::failed_precondition);
    CHECK(code_thrown_by([&] { store.adopt(old.signed_manifest, {}); }) == ErrorCode::failed_precondition);
  }
  auto again = shelf.open();
  CHECK(again.highest_accepted() == 5);
  CHECK(code_thrown_by([&] { again.check(shelf.federation.publish("har", 5, 0).signed_manifest); }) ==
        ErrorCode::failed_precondition);
  CHECK(again.check(shelf.federation.publish("har", 6, 0).signed_manifest).version == 6);
}

TEST_CASE("a manifest of another signer or another task or with a changed letter is refused (I6)") {
  const Shelf shelf;
  const auto store = shelf.open();
  const Federation stranger;
  CHECK(code_thrown_by([&] { store.check(stranger.publish("har", 1, 0).signed_manifest); }) ==
        ErrorCode::unauthenticated);
  CHECK(code_thrown_by([&] { store.check(shelf.federation.publish("other", 1, 0).signed_manifest); }) ==
        ErrorCode::invalid_data);
  SignedManifest changed = shelf.federation.publish("har", 1, 0).signed_manifest;
  changed.text[changed.text.size() / 2] ^= 1;
  CHECK(code_thrown_by([&] { store.check(changed); }) == ErrorCode::unauthenticated);
}

TEST_CASE("a champion with tampered weights gives way to last-good and says so (I6)") {
  const Shelf shelf;
  PublishedVersion second;
  {
    auto store = shelf.open();
    shelf.adopt(store, 1);
    second = shelf.adopt(store, 2);
  }
  tamper(shelf.part(second.manifest.weights_hash));
  auto store = shelf.open();
  CHECK(serving(store) == 1);
  const auto troubles = store.take_troubles();
  REQUIRE(troubles.size() == 1);
  CHECK(troubles.front().find("version 2") != std::string::npos);
  CHECK(store.highest_accepted() == 2);
  CHECK(serving(shelf.open()) == 1);
}

TEST_CASE("a version that was lost by damage may come again and no other old one (I6)") {
  const Shelf shelf;
  PublishedVersion second;
  {
    auto store = shelf.open();
    shelf.adopt(store, 1);
    second = shelf.adopt(store, 2);
  }
  tamper(shelf.part(second.manifest.weights_hash));
  auto store = shelf.open();
  CHECK(code_thrown_by([&] { store.check(shelf.federation.publish("har", 1, 0).signed_manifest); }) ==
        ErrorCode::failed_precondition);
  CHECK_FALSE(store.has_part(second.manifest.weights_hash));
  fetch(store, second);
  store.adopt(second.signed_manifest, {});
  CHECK(serving(store) == 2);
  CHECK(read_weights(store) == second.weights);
}

TEST_CASE("a tampered champion.json gives way to last-good (I6)") {
  const Shelf shelf;
  {
    auto store = shelf.open();
    shelf.adopt(store, 1);
    shelf.adopt(store, 2);
  }
  const std::string good = read_text_file(shelf / "champion.json");
  const auto falls_back = [&](const std::string& text) {
    write_file_atomically(shelf / "champion.json", as_bytes(text));
    auto store = shelf.open();
    CHECK(serving(store) == 1);
    CHECK(store.take_troubles().size() == 1);
  };
  falls_back("");
  falls_back("{}");
  falls_back(good.substr(0, good.size() - 20));
  std::string changed = good;
  changed.replace(changed.find("c1"), 2, "c7");
  falls_back(changed);
}

TEST_CASE("no model is left where the archive of both versions is damaged until it is fetched again") {
  const Shelf shelf;
  PublishedVersion second;
  {
    auto store = shelf.open();
    shelf.adopt(store, 1);
    second = shelf.adopt(store, 2);
  }
  tamper(shelf.part(second.manifest.archive_hash));
  auto store = shelf.open();
  CHECK(serving(store) == 0);
  CHECK(store.highest_accepted() == 2);
  CHECK_FALSE(store.take_troubles().empty());
  fetch(store, second);
  store.adopt(second.signed_manifest, {});
  CHECK(serving(store) == 2);
}

TEST_CASE("a missing or shortened part is found at the start") {
  const Shelf shelf;
  PublishedVersion second;
  {
    auto store = shelf.open();
    shelf.adopt(store, 1);
    second = shelf.adopt(store, 2);
  }
  const fs::path weights = shelf.part(second.manifest.weights_hash);
  SUBCASE("missing") {
    fs::remove(weights);
  }
  SUBCASE("shortened") {
    fs::resize_file(weights, 4);
  }
  SUBCASE("longer") {
    fs::resize_file(weights, fs::file_size(weights) + 4);
  }
  CHECK(serving(shelf.open()) == 1);
}

TEST_CASE("a part that is damaged after the start is not handed out") {
  const Shelf shelf;
  auto store = shelf.open();
  const PublishedVersion version = shelf.adopt(store, 1);
  tamper(shelf.part(version.manifest.weights_hash));
  CHECK(code_thrown_by([&] { read_weights(store); }) == ErrorCode::invalid_data);
  tamper(shelf.part(version.manifest.archive_hash));
  CHECK(code_thrown_by([&] { store.read_archive(version.manifest); }) == ErrorCode::invalid_data);
}

TEST_CASE("a crash after any step of adopting leaves a version that serves") {
  const Shelf shelf;
  auto store = shelf.open();
  shelf.adopt(store, 1);
  const std::string first = read_text_file(shelf / "champion.json");
  const PublishedVersion second = shelf.federation.publish("har", 2, 2);
  fetch(store, second);
  CHECK(serving(shelf.open()) == 1);  // after the parts were fetched
  write_file_atomically(shelf / "last-good.json", as_bytes(first));
  CHECK(serving(shelf.open()) == 1);  // after last-good was replaced
  std::ofstream(shelf / "champion.json.tmp.1.0") << "half";
  CHECK(serving(shelf.open()) == 1);  // while the champion was being replaced
  CHECK_FALSE(fs::exists(shelf / "champion.json.tmp.1.0"));
  auto again = shelf.open();
  again.adopt(second.signed_manifest, {});
  CHECK(serving(shelf.open()) == 2);
}

TEST_CASE("a version is not adopted before its parts are there") {
  const Shelf shelf;
  auto store = shelf.open();
  const PublishedVersion version = shelf.federation.publish("har", 1, 0);
  CHECK(code_thrown_by([&] { store.adopt(version.signed_manifest, {}); }) == ErrorCode::failed_precondition);
  CHECK(serving(store) == 0);
}

TEST_CASE("a guest sees what the owner adopts and writes nothing") {
  const Shelf shelf;
  auto owner = shelf.open();
  shelf.adopt(owner, 1);
  auto guest = shelf.open(Access::guest);
  CHECK(serving(guest) == 1);
  const PublishedVersion second = shelf.adopt(owner, 2);
  CHECK(serving(guest) == 1);
  guest.refresh();
  CHECK(serving(guest) == 2);
  tamper(shelf.part(second.manifest.weights_hash));
  guest.fall_back(2, "it is damaged");
  CHECK(serving(guest) == 1);
  CHECK(fs::exists(shelf.part(second.manifest.weights_hash)));
  CHECK(read_version_file(shelf / "champion.json", "har", shelf.federation.signing_key.public_key())
            ->version.manifest.version == 2);
}

TEST_CASE("a version that is thrown away leaves no parts behind") {
  const Shelf shelf;
  auto store = shelf.open();
  shelf.adopt(store, 1);
  const PublishedVersion second = shelf.federation.publish("har", 2, 2);
  fetch(store, second);
  store.discard(second.manifest);
  CHECK_FALSE(store.has_part(second.manifest.weights_hash));
  CHECK(store.has_part(second.manifest.archive_hash));
  CHECK(read_weights(store).size() == 9);
}

TEST_CASE("a fetch that was cut off goes on where it was") {
  const TemporaryFolder folder;
  const std::string text = "a part of a version";
  {
    PartFile part(folder / "p", sha256(as_bytes(text)), text.size());
    CHECK(part.offset() == 0);
    part.append(as_bytes(text).first(6));
  }
  PartFile part(folder / "p", sha256(as_bytes(text)), text.size());
  CHECK(part.offset() == 6);
  part.append(as_bytes(text).subspan(6));
  CHECK(part.complete());
  part.finish();
  CHECK(read_text_file(folder / "p") == text);
  CHECK_FALSE(fs::exists(folder / "p.part"));
}

TEST_CASE("bytes with another hash are thrown away (I8)") {
  const TemporaryFolder folder;
  PartFile part(folder / "p", sha256(as_bytes("right")), 5);
  part.append(as_bytes("wrong"));
  CHECK(code_thrown_by([&] { part.finish(); }) == ErrorCode::invalid_data);
  CHECK_FALSE(fs::exists(folder / "p"));
  CHECK_FALSE(fs::exists(folder / "p.part"));
}

TEST_CASE("more bytes than the manifest says are not taken (I8)") {
  const TemporaryFolder folder;
  PartFile part(folder / "p", sha256(as_bytes("right")), 5);
  part.append(as_bytes("rig"));
  CHECK(code_thrown_by([&] { part.append(as_bytes("htt")); }) == ErrorCode::protocol);
  CHECK(part.offset() == 3);
}

TEST_CASE("what is left of a fetch and longer than the part is begun anew") {
  const TemporaryFolder folder;
  std::ofstream(folder / "p.part") << "something longer";
  PartFile part(folder / "p", sha256(as_bytes("right")), 5);
  CHECK(part.offset() == 0);
  part.append(as_bytes("right"));
  part.finish();
  CHECK(read_text_file(folder / "p") == "right");
}

TEST_CASE("a full disk leaves what was fetched and it is gone on from (I10)") {
  const TemporaryFolder folder;
  const std::string text(3000, 'x');
  const auto fetch_all = [&] {
    PartFile part(folder / "p", sha256(as_bytes(text)), text.size());
    part.append(as_bytes(text).first(1000));
    part.append(as_bytes(text).subspan(1000));
    return 0;
  };
  CHECK(on_full_disk(2000, fetch_all) == 99);
  PartFile part(folder / "p", sha256(as_bytes(text)), text.size());
  CHECK(part.offset() == 2000);
  part.append(as_bytes(text).subspan(part.offset()));
  part.finish();
  CHECK(read_text_file(folder / "p") == text);
}

TEST_CASE("a damaged plan is none and is said so once and gives way to the next one") {
  const Shelf shelf;
  auto store = shelf.open();
  shelf.adopt(store, 1);
  for (const char* damaged : {"", "{", "{\"training\": 7}"}) {
    write_file_atomically(shelf / "plan.json", as_bytes(damaged));
    auto again = shelf.open();
    CHECK_FALSE(again.last_plan());
    CHECK_FALSE(again.last_plan());
    const auto troubles = again.take_troubles();
    REQUIRE(troubles.size() == 1);
    CHECK(troubles.front().find("plan.json is damaged") != std::string::npos);
    TrainingPlan plan;
    plan.batch_size = 7;
    again.remember_plan(plan);
    CHECK(again.last_plan()->batch_size == 7);
  }
}

TEST_CASE("a champion.json that is no JSON is called damaged in our own words (I9)") {
  const Shelf shelf;
  {
    auto store = shelf.open();
    shelf.adopt(store, 1);
  }
  for (const char* damaged : {"", "[", "{}", "{\"format\":1}", "[1]"}) {
    write_file_atomically(shelf / "champion.json", as_bytes(damaged));
    auto store = shelf.open();
    const std::string sentence = store.absence().what();
    CAPTURE(sentence);
    CHECK(sentence.find("champion.json is damaged") != std::string::npos);
    CHECK(sentence.find("fetches it again") != std::string::npos);
    CHECK(sentence.find("boost") == std::string::npos);
  }
}

TEST_CASE("the plan of the last round is remembered and there is none before") {
  const Shelf shelf;
  auto store = shelf.open();
  CHECK_FALSE(store.last_plan());
  shelf.adopt(store, 1);
  TrainingPlan plan;
  plan.learning_rate = 0.25;
  plan.batch_size = 7;
  store.remember_plan(plan);
  CHECK(shelf.open().last_plan()->learning_rate == 0.25);
  CHECK(shelf.open().last_plan()->batch_size == 7);
}

TEST_CASE("names of tasks that would lead out of the home are refused (I8)") {
  const TemporaryFolder folder;
  const PublicKey key = SigningKey::generate().public_key();
  ModelStores stores(folder.path(), key, Access::owner);
  for (const char* name : {"", "..", "a/b", "A", "x.y", "../../etc"}) {
    CHECK(code_thrown_by([&] { stores.find_or_make(name); }) == ErrorCode::invalid_argument);
    CHECK(stores.find(name) == nullptr);
  }
  CHECK(stores.tasks().empty());
}

TEST_CASE("the stores of a home find the tasks that are there") {
  const Shelf shelf;
  {
    auto store = shelf.open();
    shelf.adopt(store, 1);
  }
  ModelStores stores(shelf.folder.path(), shelf.federation.signing_key.public_key(), Access::owner);
  CHECK(stores.tasks() == std::vector<std::string>{"har"});
  CHECK(serving(*stores.find("har")) == 1);
  CHECK(stores.find("none") == nullptr);
  CHECK(stores.find_or_make("har") == stores.find("har"));
}
