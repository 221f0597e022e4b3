#include "server/fleet/round_fold.h"

#include <limits>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "server/strategy/federated_averaging.h"
#include "tests/support/temporary_folder.h"

using namespace fl;
using namespace fl::server;

namespace {

std::filesystem::path write_delta(const test::TemporaryFolder& folder, const std::vector<float>& values) {
  const std::filesystem::path path = folder / "delta";
  write_file_atomically(path, as_bytes(std::span<const float>(values)));
  return path;
}

}  // namespace

TEST_CASE("a delta with NaN or infinity or too large an element is refused by that element") {
  const test::TemporaryFolder folder;
  std::vector<float> values(600'000, 0.5F);
  CHECK(!check_update(write_delta(folder, values), 1.0F));
  values[555'555] = std::numeric_limits<float>::quiet_NaN();
  auto fault = check_update(write_delta(folder, values), 1.0F);
  REQUIRE(fault);
  CHECK(fault->outcome == wire::Outcome::not_finite);
  CHECK(fault->sentence.find("element 555555 ") == 0);
  values[555'555] = -std::numeric_limits<float>::infinity();
  CHECK(check_update(write_delta(folder, values), 1.0F)->outcome == wire::Outcome::not_finite);
  values[555'555] = -1.5F;
  CHECK(check_update(write_delta(folder, values), 1.0F)->outcome == wire::Outcome::delta_too_large);
  values[555'555] = -1.0F;
  CHECK(!check_update(write_delta(folder, values), 1.0F));
}

TEST_CASE("a delta is folded whole or not at all") {
  const test::TemporaryFolder folder;
  std::vector<float> values(300'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) - 3.0F;
  ExactFold fold(values.size(), fold_quantum(4, 100, 16.0));
  fold_update(write_delta(folder, values), 3, fold);
  CHECK(fold.total_weight() == 3);
  for (std::size_t i = 0; i < values.size(); i += 1'001) CHECK(fold.sum()[i] == 3.0 * values[i]);
  ExactFold smaller(values.size() - 1, 0x1p-20);
  CHECK_THROWS_AS(fold_update(folder / "delta", 3, smaller), Error);
  ExactFold larger(values.size() + 1, 0x1p-20);
  CHECK_THROWS_AS(fold_update(folder / "delta", 3, larger), Error);
  CHECK(larger.total_weight() == 0);
}

TEST_CASE("the next weights start from the verified base") {
  const test::TemporaryFolder folder;
  const BlobStore blobs(folder / "blobs");
  Layout layout;
  layout.add("w", Datatype::fp32, {2}, Role::trained);
  BlobStore writable(folder / "blobs");
  const Digest base = writable.put(as_bytes(std::span<const float>(std::vector<float>{1.0F, 2.0F})));
  ExactFold fold(2, fold_quantum(4, 100, 16.0));
  fold.add(0, std::vector<float>{0.5F, -0.5F}, 10);
  fold.add_weight(10);
  CHECK(next_weights(blobs, base, layout, FederatedAveraging(), fold) == Weights{1.5F, 1.5F});
  layout.add("more", Datatype::fp32, {1}, Role::trained);
  CHECK_THROWS_AS(next_weights(blobs, base, layout, FederatedAveraging(), fold), Error);
}
