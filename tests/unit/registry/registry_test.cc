#include "server/registry/registry.h"

#include <limits>

#include <SQLiteCpp/Database.h>
#include <doctest/doctest.h>

#include "common/model/manifest.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

/// A registry in a folder of its own, with the sample task's archive in its blob store.
struct Shop {
  Shop() : ledger(ledger_path()), blobs(folder / "blobs"), registry(ledger, blobs, SigningKey::generate()) {
    blobs.put(as_bytes("archive"));
  }

  Digest store(const Weights& weights) { return store_weights(blobs, sample_task().layout, weights); }

  std::filesystem::path ledger_path() const { return folder / "ledger.db"; }

  TemporaryFolder folder;
  Ledger ledger;
  BlobStore blobs;
  Registry registry;
};

const Weights first_weights{1, 2, 3, 4, 5, 6};
const Weights next_weights{2, 3, 4, 5, 6, 7};

}  // namespace

TEST_CASE("a task's first version is signed and names its parts by their hashes (I6)") {
  Shop shop;
  const VersionRecord made = shop.registry.add_task(sample_task(), first_weights, at(50));
  const VersionRecord stored = shop.ledger.latest_version("har");
  CHECK(stored.manifest.text == made.manifest.text);
  const Manifest manifest = verify(stored.manifest, shop.registry.public_key());
  CHECK(manifest.task == "har");
  CHECK(manifest.version == 1);
  CHECK(manifest.archive_hash == digest_of("archive"));
  CHECK(manifest.archive_bytes == 7);
  CHECK(manifest.weights_hash == sha256(as_bytes(std::span<const float>(first_weights))));
  CHECK(manifest.weights_count == 6);
  CHECK(manifest.layout_hash == sample_task().layout.hash());
  CHECK(manifest.previous == Digest());
  CHECK(to_json(manifest.contract) == to_json(sample_task().contract));
  CHECK(shop.blobs.get(manifest.weights_hash).size() == 24);
  CHECK(stored.published == at(50));
}

TEST_CASE("a committed round is the next version and names the one before (I6)") {
  Shop shop;
  const VersionRecord first = shop.registry.add_task(sample_task(), first_weights, at(50));
  shop.ledger.begin_round(sample_round(1, 1), {});
  const VersionRecord next = shop.registry.commit_round("har", 1, {shop.store(next_weights), {}}, at(60));
  const Manifest manifest = verify(next.manifest, shop.registry.public_key());
  CHECK(manifest.version == 2);
  CHECK(manifest.previous == first.manifest.hash());
  CHECK(next.round == 1);
  CHECK_FALSE(shop.ledger.open_round("har").has_value());
  CHECK(shop.ledger.latest_version("har").weights_hash == manifest.weights_hash);
}

TEST_CASE("a task whose parts do not fit each other is refused and leaves no trace (I9)") {
  Shop shop;
  const auto refused = [&](const std::function<void(TaskRecord&)>& spoil,
                           const Weights& weights = first_weights) {
    TaskRecord task = sample_task();
    spoil(task);
    return code_of([&] { shop.registry.add_task(task, weights, at(1)); });
  };
  CHECK(refused([](TaskRecord& task) { task.name = "../HAR"; }) == ErrorCode::invalid_argument);
  CHECK(refused([](TaskRecord& task) { task.plan.training.learning_rate = -1; }) ==
        ErrorCode::invalid_argument);
  CHECK(refused([](TaskRecord& task) { task.contract.labels.pop_back(); }) == ErrorCode::invalid_argument);
  CHECK(refused([](TaskRecord& task) { task.archive_hash = digest_of("other"); }) == ErrorCode::not_found);
  CHECK(refused([](TaskRecord&) {}, {1, 2, 3}) == ErrorCode::invalid_argument);
  CHECK(refused([](TaskRecord&) {}, {1, 2, 3, 4, 5, std::numeric_limits<float>::infinity()}) ==
        ErrorCode::invalid_argument);
  CHECK(shop.ledger.tasks().empty());
  shop.registry.add_task(sample_task(), first_weights, at(1));
  CHECK(refused([](TaskRecord&) {}) == ErrorCode::already_exists);
}

TEST_CASE("a model larger than its plan allows updates to be is refused (I8)") {
  Shop shop;
  TaskRecord task = sample_task();
  task.plan.round.max_update_bytes = 23;
  CHECK(code_of([&] { shop.registry.add_task(task, first_weights, at(1)); }) == ErrorCode::invalid_argument);
  task.plan.round.max_update_bytes = 24;
  shop.registry.add_task(task, first_weights, at(1));
}

TEST_CASE("a server takes as many tasks as a device is told of and no more (I9)") {
  Shop shop;
  TaskRecord task = sample_task();
  for (std::size_t i = 0; i < Registry::most_tasks; ++i) {
    task.name = "task-" + std::to_string(i);
    shop.registry.add_task(task, first_weights, at(1));
  }
  task.name = "one-more";
  CHECK(code_of([&] { shop.registry.add_task(task, first_weights, at(1)); }) ==
        ErrorCode::resource_exhausted);
}

TEST_CASE("weights that do not fit or are not finite or are not there leave the round open (I9)") {
  Shop shop;
  shop.registry.add_task(sample_task(), first_weights, at(50));
  shop.ledger.begin_round(sample_round(1, 1), {});
  const Weights broken{1, 2, 3, std::numeric_limits<float>::quiet_NaN(), 5, 6};
  CHECK(code_of([&] { shop.store(broken); }) == ErrorCode::invalid_argument);
  CHECK(code_of([&] { shop.store({1}); }) == ErrorCode::invalid_argument);
  const Digest stored = shop.store(next_weights);
  const auto commit = [&](const char* task, std::uint64_t round, const Digest& weights) {
    return code_of([&] { shop.registry.commit_round(task, round, {weights, {}}, at(60)); });
  };
  CHECK(commit("har", 1, digest_of("nowhere")) == ErrorCode::not_found);
  CHECK(commit("har", 2, stored) == ErrorCode::not_found);
  CHECK(commit("absent", 1, stored) == ErrorCode::not_found);
  CHECK(shop.ledger.open_round("har").has_value());
  CHECK(shop.ledger.versions("har").size() == 1);
}

TEST_CASE("a version is published again under new numbers with the same weights and the chain goes on (I6)") {
  Shop shop;
  shop.registry.add_task(sample_task(), first_weights, at(50));
  for (const char* device : {"a", "b"}) enrol(shop.ledger, device);
  shop.ledger.begin_round(sample_round(1, 1), {"a", "b"});
  const Digest state = shop.blobs.put(as_bytes("state"));
  shop.registry.commit_round("har", 1, {shop.store(next_weights), state}, at(60));
  shop.ledger.begin_round(sample_round(2, 2), {"a", "b"});

  CHECK(shop.registry.publish_again("har", 5, at(70)).version == 5);
  const std::vector<VersionRecord> versions = shop.ledger.versions("har");
  REQUIRE(versions.size() == 5);
  for (std::size_t i = 2; i < versions.size(); ++i) {
    CAPTURE(i);
    const Manifest manifest = verify(versions[i].manifest, shop.registry.public_key());
    CHECK(manifest.version == i + 1);
    CHECK(manifest.previous == versions[i - 1].manifest.hash());
    CHECK(manifest.weights_hash == versions[1].weights_hash);
    CHECK(versions[i].weights_hash == versions[1].weights_hash);
    CHECK(versions[i].state_hash == state);
    CHECK(versions[i].round == 0);
  }
  CHECK(shop.ledger.open_round("har")->round == 2);
  shop.registry.commit_round("har", 2, {shop.store(first_weights), {}}, at(80));
  CHECK(shop.ledger.latest_version("har").version == 6);
}

TEST_CASE("a version that was pruned is refused where its weights are needed (I9)") {
  VersionRecord version = sample_version(3);
  require_kept(version);
  version.pruned = true;
  CHECK(code_of([&] { require_kept(version); }) == ErrorCode::failed_precondition);
  Shop shop;
  shop.registry.add_task(sample_task(), first_weights, at(50));
  // As no program of ours has it: the newest is always kept.
  SQLite::Database(shop.ledger_path().string(), SQLite::OPEN_READWRITE)
      .exec("UPDATE versions SET pruned = 1");
  CHECK(code_of([&] { shop.registry.publish_again("har", 5, at(70)); }) == ErrorCode::failed_precondition);
  CHECK(shop.ledger.versions("har").size() == 1);
}

TEST_CASE("a version is published again under no number that is not newer or far away (I9)") {
  Shop shop;
  shop.registry.add_task(sample_task(), first_weights, at(50));
  const auto refused = [&](const std::string& task, std::uint64_t number) {
    return code_of([&] { shop.registry.publish_again(task, number, at(60)); });
  };
  CHECK(refused("har", 1) == ErrorCode::invalid_argument);
  CHECK(refused("har", 2 + Registry::most_again) == ErrorCode::invalid_argument);
  CHECK(refused("other", 2) == ErrorCode::not_found);
  CHECK(shop.ledger.versions("har").size() == 1);
}

TEST_CASE("a round's version has the round's difference and the same version published again has none") {
  Shop shop;
  const VersionRecord first = shop.registry.add_task(sample_task(), first_weights, at(50));
  CHECK_FALSE(first.difference);
  shop.ledger.begin_round(sample_round(1, 1), {});
  RoundResult result{shop.store(next_weights), {}};
  result.difference = {first.weights_hash, digest_of("lost"), 12, Encoding::fp16, 6};
  CHECK(code_of([&] { shop.registry.commit_round("har", 1, result, at(60)); }) == ErrorCode::not_found);
  CHECK(shop.ledger.open_round("har").has_value());
  result.difference->hash = shop.blobs.put(as_bytes("a difference"));
  CHECK(shop.registry.commit_round("har", 1, result, at(60)).difference->hash == result.difference->hash);
  CHECK(shop.ledger.latest_version("har").difference->hash == result.difference->hash);
  CHECK_FALSE(shop.registry.publish_again("har", 3, at(70)).difference);
  CHECK_FALSE(shop.ledger.latest_version("har").difference);
}
