#include "server/aggregation/round_fold.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/base/random.h"
#include "tests/support/temporary_folder.h"

using namespace fl;
using namespace fl::server;

namespace {

std::filesystem::path write_delta(const test::TemporaryFolder& folder, const std::vector<float>& values,
                                  const std::string& name = "delta") {
  const std::filesystem::path path = folder / name;
  write_file_atomically(path, as_bytes(std::span<const float>(values)));
  return path;
}

/// A fold and the workers it has.
class Folding {
 public:
  Folding(std::size_t elements, double quantum, std::size_t first = 0)
      : fold(std::make_shared<RoundFold>(workers_, 3, ExactFold(elements, quantum, 16.0F), first)) {}
  ~Folding() { workers_.join(); }

  /// Throws what the fold throws.
  const ExactFold& wait() {
    auto sum = boost::asio::co_spawn(context_, fold->sum(), boost::asio::use_future);
    context_.restart();
    context_.run();
    return *sum.get();
  }
  Error failure() {
    try {
      wait();
    } catch (const Error& error) {
      return error;
    }
    FAIL("the fold did not fail");
    throw std::logic_error("not reached");
  }

 private:
  boost::asio::io_context context_;
  boost::asio::thread_pool workers_{3};

 public:
  std::shared_ptr<RoundFold> fold;
};

}  // namespace

TEST_CASE("updates of every number and size are folded to the same bits as one after the other (I4)") {
  const test::TemporaryFolder folder;
  const double quantum = fold_quantum(20, 100, 16.0);
  for (const std::size_t elements : {1UL, 8'191UL, 8'192UL, 40'000UL}) {
    ExactFold expected(elements, quantum, 16.0F);
    Folding folding(elements, quantum);
    Random random(elements);
    for (std::uint32_t weight = 1; weight <= 19; ++weight) {
      std::vector<float> values(elements);
      for (float& value : values) value = static_cast<float>(random.uniform() - 0.5);
      const WeightedDelta delta{values.data(), weight};
      CHECK(expected.add(0, elements, {&delta, 1}));
      expected.add_weight(weight);
      const auto path = write_delta(folder, values, std::to_string(elements) + "-" + std::to_string(weight));
      folding.fold->add({path, Encoding::fp32, weight, {}});
    }
    const ExactFold& sum = folding.wait();
    CHECK(sum.total_weight() == expected.total_weight());
    CHECK(std::equal(sum.sum().begin(), sum.sum().end(), expected.sum().begin(), expected.sum().end()));
  }
}

TEST_CASE("an update folds as what its encoding says and updates of several encodings fold together") {
  const test::TemporaryFolder folder;
  constexpr std::size_t elements = 20'001;
  const double quantum = fold_quantum(3, 100, 16.0);
  ExactFold expected(elements, quantum, 16.0F);
  Folding folding(elements, quantum);
  Random random(5);
  std::vector<float> values(elements);
  for (float& value : values) value = static_cast<float>(random.normal());
  std::uint32_t weight = 1;
  for (const Encoding encoding : {Encoding::fp32, Encoding::fp16, Encoding::int8}) {
    Bytes bytes(encoded_bytes(encoding, elements));
    encode(encoding, values, random, bytes);
    std::vector<float> received(elements);
    decode(encoding, bytes, received);
    const WeightedDelta delta{received.data(), weight};
    CHECK(expected.add(0, elements, {&delta, 1}));
    const std::filesystem::path path = folder / std::string(name(encoding));
    write_file_atomically(path, bytes);
    folding.fold->add({path, encoding, weight++, {}});
  }
  const ExactFold& sum = folding.wait();
  CHECK(std::equal(sum.sum().begin(), sum.sum().end(), expected.sum().begin(), expected.sum().end()));
}

TEST_CASE("an update that is not the model's size, not what was acknowledged or gone spoils the fold") {
  const test::TemporaryFolder folder;
  const std::vector<float> values(10'000, 0.25F);
  const auto delta = write_delta(folder, values);
  const auto failure_of = [&](std::size_t elements, const SpooledUpdate& update) {
    Folding folding(elements, fold_quantum(4, 100, 16.0));
    folding.fold->add(update);
    folding.fold->add({delta, Encoding::fp32, 1, {}});
    return folding.failure();
  };
  CHECK(failure_of(9'999, {delta, Encoding::fp32, 1, {}}).code() == ErrorCode::invalid_data);
  CHECK(failure_of(10'001, {delta, Encoding::fp32, 1, {}}).code() == ErrorCode::invalid_data);
  CHECK(failure_of(10'000, {folder / "nothing", Encoding::fp32, 1, {}}).code() == ErrorCode::not_found);
  const Digest hash = sha256(as_bytes(std::span<const float>(values)));
  CHECK(failure_of(10'000, {delta, Encoding::fp32, 1, sha256({})}).code() == ErrorCode::invalid_data);
  std::vector<float> damaged = values;
  damaged[9'000] = std::numeric_limits<float>::infinity();
  CHECK(failure_of(10'000, {write_delta(folder, damaged, "damaged"), Encoding::fp32, 1, {}}).code() ==
        ErrorCode::invalid_data);

  Folding good(10'000, fold_quantum(4, 100, 16.0));
  good.fold->add({delta, Encoding::fp32, 1, hash});
  CHECK(good.wait().total_weight() == 1);
}

TEST_CASE("of the last elements alone the same bits are folded as of all") {
  const test::TemporaryFolder folder;
  const double quantum = fold_quantum(4, 100, 16.0);
  std::vector<float> values(20'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
  Folding whole(values.size(), quantum);
  whole.fold->add({write_delta(folder, values), Encoding::fp32, 7, {}});
  Folding last(5'000, quantum, 15'000);
  last.fold->add({write_delta(folder, values), Encoding::fp32, 7, {}});
  const auto expected = whole.wait().sum().subspan(15'000);
  CHECK(std::equal(expected.begin(), expected.end(), last.wait().sum().begin(), last.wait().sum().end()));
  Folding none(0, quantum, 20'000);
  none.fold->add({write_delta(folder, values), Encoding::fp32, 7, {}});
  CHECK(none.wait().total_weight() == 7);
  Folding other(0, quantum, 19'999);
  other.fold->add({write_delta(folder, values), Encoding::fp32, 7, {}});
  CHECK(other.failure().code() == ErrorCode::invalid_data);
}
