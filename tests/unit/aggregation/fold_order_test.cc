#include <cstring>
#include <memory>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include "common/base/files.h"
#include "server/aggregation/round_fold.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/strategy/exact_sum.h"
#include "tests/unit/strategy/hard_updates.h"

using namespace fl;
using namespace fl::server;
using test::ExactSum;
using test::hard_updates;
using test::HardUpdate;

namespace {

constexpr std::size_t elements = 8 * 8'192 + 17;  // a range for each of eight threads, and a remainder
constexpr std::uint32_t count = 21;
constexpr std::uint32_t max_weight = 10'000;
constexpr float bound = 16.0F;

/// Waits until what has been added is in the sum.
const ExactFold& sum_of(RoundFold& fold, boost::asio::io_context& context) {
  context.restart();
  auto sum = boost::asio::co_spawn(context, fold.sum(), boost::asio::use_future);
  context.run();
  return *sum.get();
}

/// The sum of the updates in this order, on so many threads; between some of them it waits until all that
/// came before are in, so that passes take one to eight.
std::vector<double> folded(const std::vector<SpooledUpdate>& updates, std::size_t threads, Random& random) {
  boost::asio::io_context context;
  boost::asio::thread_pool workers(threads);
  const double quantum = fold_quantum(count, max_weight, bound);
  const auto fold = std::make_shared<RoundFold>(workers, threads, ExactFold(elements, quantum, bound));
  for (const SpooledUpdate& update : updates) {
    fold->add(update);
    if (random.below(4) == 0) sum_of(*fold, context);
  }
  const std::span<const double> sum = sum_of(*fold, context).sum();
  std::vector<double> result(sum.begin(), sum.end());
  workers.join();
  return result;
}

}  // namespace

TEST_CASE("a hundred orders of the same updates on one to eight threads are folded to the same bits (I4)") {
  const test::TemporaryFolder folder;
  const std::vector<HardUpdate> updates = hard_updates(count, elements, bound, max_weight);
  std::vector<SpooledUpdate> spooled;
  for (const HardUpdate& update : updates) {
    const std::filesystem::path path = folder / std::to_string(spooled.size());
    write_file_atomically(path, as_bytes(std::span<const float>(update.delta)));
    spooled.push_back({path, Encoding::fp32, update.weight, {}});
  }
  Random random(3);
  const std::vector<double> first = folded(spooled, 1, random);
  for (std::size_t order = 0; order < 100; ++order) {
    random.shuffle(spooled);
    const std::vector<double> sum = folded(spooled, 1 + order % 8, random);
    REQUIRE(std::memcmp(sum.data(), first.data(), std::span(sum).size_bytes()) == 0);
  }
  const double quantum = fold_quantum(count, max_weight, bound);
  for (std::size_t i = 0; i < elements; i += 97) {
    ExactSum exact;
    for (const HardUpdate& update : updates) exact.add(update.delta[i], update.weight);
    REQUIRE(exact.is(first[i], quantum / 2, count));
  }
}
