#include "server/fleet/next_version.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/random.h"
#include "server/strategy/federated_averaging.h"
#include "server/strategy/server_momentum.h"
#include "tests/support/temporary_folder.h"

using namespace fl;
using namespace fl::server;

namespace {

/// A model whose buffers begin in the middle of a piece, a base version of it and one folded update.
struct Model {
  explicit Model(std::size_t elements) : base(elements), fold(elements, fold_quantum(4, 100, 16.0), 16.0F) {
    layout.add("weight", Datatype::fp32, {static_cast<std::int64_t>(trained)}, Role::trained);
    layout.add("mean", Datatype::fp32, {static_cast<std::int64_t>(elements - trained)}, Role::buffer);
    Random random(3);
    for (float& value : base) value = static_cast<float>(random.uniform());
    const std::vector<float> delta(elements, 0.5F);
    const WeightedDelta update{delta.data(), 10};
    CHECK(fold.add(0, elements, {&update, 1}));
    fold.add_weight(10);
    start.weights = blobs.put(as_bytes(std::span<const float>(base)));
  }

  Weights weights(const Digest& digest) const { return weights_from(blobs.get(digest), layout.size()); }
  std::size_t files() const {
    const std::filesystem::directory_iterator entries(folder / "blobs");
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
  }

  static constexpr std::size_t trained = 100'000;
  test::TemporaryFolder folder;
  BlobStore blobs{folder / "blobs"};
  Layout layout;
  Weights base;
  ExactFold fold;
  BaseVersion start;
};

}  // namespace

TEST_CASE("the next version is the base moved by the mean of the updates") {
  Model model(150'000);
  const RoundResult made =
      make_next_version(model.blobs, model.start, model.layout, FederatedAveraging(), model.fold);
  CHECK_FALSE(made.state);
  const Weights next = model.weights(made.weights);
  for (std::size_t i = 0; i < next.size(); ++i) REQUIRE(next[i] == model.base[i] + 0.5F);
}

TEST_CASE("what the strategy carries goes from version to version, for the trained elements alone") {
  Model model(150'000);
  const ServerMomentum strategy(1.0, 0.5);
  const RoundResult first = make_next_version(model.blobs, model.start, model.layout, strategy, model.fold);
  REQUIRE(first.state);
  CHECK(model.blobs.get(*first.state).size() == Model::trained * sizeof(float));
  const RoundResult second =
      make_next_version(model.blobs, {first.weights, first.state}, model.layout, strategy, model.fold);
  const Weights before = model.weights(first.weights);
  const Weights next = model.weights(second.weights);
  for (std::size_t i = 0; i < next.size(); ++i) {
    REQUIRE(next[i] == before[i] + (i < Model::trained ? 0.75F : 0.5F));
  }
}

TEST_CASE("a base that is not what its name says makes no version and leaves no file (I9)") {
  Model model(150'000);
  std::ofstream(model.blobs.path(model.start.weights), std::ios::in | std::ios::binary) << "damaged";
  CHECK_THROWS_AS(make_next_version(model.blobs, model.start, model.layout, FederatedAveraging(), model.fold),
                  Error);
  CHECK(model.files() == 1);
  std::filesystem::resize_file(model.blobs.path(model.start.weights), 100);
  CHECK_THROWS_AS(make_next_version(model.blobs, model.start, model.layout, FederatedAveraging(), model.fold),
                  Error);
  CHECK(model.files() == 1);
}

TEST_CASE("weights that leave the range of floats make no version (I9)") {
  Model model(150'000);
  const std::size_t files = model.files();
  const FederatedAveraging huge(1e39);
  CHECK_THROWS_WITH_AS(make_next_version(model.blobs, model.start, model.layout, huge, model.fold),
                       "element 0 of the next version is NaN or infinite", Error);
  CHECK(model.files() == files);
}
