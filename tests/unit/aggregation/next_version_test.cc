#include "server/aggregation/next_version.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/base/random.h"
#include "server/strategy/adaptive_optimizer.h"
#include "server/strategy/federated_averaging.h"
#include "server/strategy/ruled_strategies.h"
#include "server/strategy/server_momentum.h"
#include "server/strategy/trimmed_mean.h"
#include "tests/support/temporary_folder.h"

using namespace fl;
using namespace fl::server;

namespace {

/// A model whose buffers begin in the middle of a piece, a base version of it and one folded update.
struct Model {
  explicit Model(std::size_t elements)
      : base(elements), delta(elements), fold(elements, fold_quantum(4, 100, 16.0), 16.0F) {
    layout.add("weight", Datatype::fp32, {static_cast<std::int64_t>(trained)}, Role::trained);
    layout.add("mean", Datatype::fp32, {static_cast<std::int64_t>(elements - trained)}, Role::buffer);
    Random random(3);
    for (float& value : base) value = static_cast<float>(random.uniform());
    for (float& value : delta) value = static_cast<float>(random.below(16)) / 16.0F;
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
  std::vector<float> delta;
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
  for (std::size_t i = 0; i < next.size(); ++i) REQUIRE(next[i] == model.base[i] + model.delta[i]);
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
    REQUIRE(next[i] == before[i] + (i < Model::trained ? 1.5F : 1.0F) * model.delta[i]);
  }
}

TEST_CASE(
    "a state of two vectors lies on the disk by pieces of 65,536 elements, one vector after the other") {
  Model model(150'000);
  const AdaptiveOptimizer strategy(SecondMoment::adagrad, {1.0, 0.0, 0.0, 0.5});
  const RoundResult first = make_next_version(model.blobs, model.start, model.layout, strategy, model.fold);
  REQUIRE(first.state);
  const Weights state = weights_from(model.blobs.get(*first.state), 2 * Model::trained);
  constexpr std::size_t piece = 65'536;
  for (std::size_t i = 0; i < Model::trained; ++i) {
    const std::size_t length = i < piece ? piece : Model::trained - piece;
    const std::size_t at = i < piece ? i : piece + i;  // the first piece's second vector lies between
    REQUIRE(state[at] == model.delta[i]);
    REQUIRE(state[at + length] == 0.25F + model.delta[i] * model.delta[i]);
  }
  const RoundResult second =
      make_next_version(model.blobs, {first.weights, first.state}, model.layout, strategy, model.fold);
  const Weights later = weights_from(model.blobs.get(*second.state), 2 * Model::trained);
  REQUIRE(later[piece] == 0.25F + 2.0F * model.delta[0] * model.delta[0]);
  std::filesystem::resize_file(model.blobs.path(*first.state), 100);
  CHECK_THROWS_AS(
      make_next_version(model.blobs, {first.weights, first.state}, model.layout, strategy, model.fold),
      Error);
}

TEST_CASE("a draft that a killed process left is removed by the next and nothing else") {
  Model model(100'001);
  write_file_atomically(model.folder / "blobs" / "draft.tmp.17.3", as_bytes("half"));
  CHECK(model.files() == 2);
  model.blobs.remove_drafts();
  CHECK(model.files() == 1);
  CHECK(model.blobs.contains(model.start.weights));
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
  CHECK_THROWS_AS(make_next_version(model.blobs, model.start, model.layout, huge, model.fold), Error);
  CHECK(model.files() == files);
}

TEST_CASE("under a rule trained elements move as it says and buffers to the mean by examples") {
  Model model(150'000);
  ExactFold buffers(50'000, fold_quantum(4, 100, 16.0), 16.0F);
  std::vector<RoundUpdate> updates;
  for (const std::uint32_t number : {1U, 2U, 3U}) {  // deltas of once, twice and three times the model's
    std::vector<float> delta = model.delta;
    for (float& value : delta) value *= static_cast<float>(number);
    const WeightedDelta update{delta.data() + Model::trained, number};
    CHECK(buffers.add(0, buffers.size(), {&update, 1}));
    buffers.add_weight(number);
    const std::filesystem::path path = model.folder / std::to_string(number);
    write_file_atomically(path, as_bytes(std::span<const float>(delta)));
    updates.push_back({std::to_string(number), path, Encoding::fp32, {number, 1, 0, 0.0}});
  }
  boost::asio::thread_pool workers(2);
  const RuledStrategy median(std::make_unique<TrimmedMean>(trim_to_median), 0.5);
  const RoundUpdates surveyed(workers, *median.rule(), updates,
                              {model.delta.size(), Model::trained, 16.0F, 2});
  const RoundResult made =
      make_next_version(model.blobs, model.start, model.layout, median, buffers, &surveyed);
  const Weights next = model.weights(made.weights);
  for (std::size_t i = 0; i < next.size(); ++i) {
    // Half of the median's 2; (1 + 4 + 9) / 6 of buffers.
    const double moved = (i < Model::trained ? 1.0 : 14.0 / 6.0) * static_cast<double>(model.delta[i]);
    REQUIRE(next[i] == static_cast<float>(static_cast<double>(model.base[i]) + moved));
  }
}

TEST_CASE("a version with a difference is to the bit what the base and the difference come to (I4)") {
  Model model(150'000);
  const ServerMomentum strategy(0.3, 0.5);  // whose steps no encoding has exactly
  const RoundResult exact = make_next_version(model.blobs, model.start, model.layout, strategy, model.fold);
  CHECK_FALSE(exact.difference);
  const Weights unrounded = model.weights(exact.weights);
  for (const Encoding encoding : {Encoding::fp16, Encoding::int8}) {
    CAPTURE(std::string(name(encoding)));
    const auto made_with = [&](std::uint64_t seed) {
      return make_next_version(model.blobs, model.start, model.layout, strategy, model.fold, nullptr,
                               {encoding, seed});
    };
    const RoundResult made = made_with(7);
    REQUIRE(made.difference);
    CHECK(made.state == exact.state);
    CHECK(made.difference->base == model.start.weights);
    CHECK(made.difference->encoding == encoding);
    CHECK(made.difference->encoded == Model::trained);
    const Bytes bytes = model.blobs.get(made.difference->hash);
    const std::size_t buffers = encoded_bytes(encoding, Model::trained);
    REQUIRE(bytes.size() == buffers + 50'000 * sizeof(float));
    CHECK(made.difference->bytes == bytes.size());
    std::vector<float> decoded(Model::trained);
    decode(encoding, ByteView(bytes).first(buffers), decoded);
    const Weights next = model.weights(made.weights);
    for (std::size_t i = 0; i < Model::trained; ++i) {
      REQUIRE(next[i] == model.base[i] + decoded[i]);
      REQUIRE(std::abs(next[i] - unrounded[i]) <
              0.3F / 126);  // of the largest step's 127 parts less than one
    }
    for (std::size_t i = Model::trained; i < next.size(); ++i) REQUIRE(next[i] == unrounded[i]);
    CHECK(std::memcmp(bytes.data() + buffers, next.data() + Model::trained, bytes.size() - buffers) == 0);
    CHECK(made_with(7).difference->hash == made.difference->hash);
    CHECK((made_with(8).difference->hash == made.difference->hash) == (encoding == Encoding::fp16));
  }
}

TEST_CASE("a version whose steps the encoding has no room for is made as it is and without a difference") {
  Model model(150'000);
  const FederatedAveraging huge(1e6);
  const RoundResult exact = make_next_version(model.blobs, model.start, model.layout, huge, model.fold);
  const std::size_t files = model.files();
  const RoundResult half = make_next_version(model.blobs, model.start, model.layout, huge, model.fold,
                                             nullptr, {Encoding::fp16, 7});
  CHECK_FALSE(half.difference);
  CHECK(half.weights == exact.weights);
  CHECK(model.files() == files);
  CHECK(make_next_version(model.blobs, model.start, model.layout, huge, model.fold, nullptr,
                          {Encoding::int8, 7})
            .difference);
}
