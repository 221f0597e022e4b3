#include "server/aggregation/round_updates.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/base/random.h"
#include "server/aggregation/shared_work.h"
#include "server/strategy/geometric_median.h"
#include "server/strategy/krum.h"
#include "server/strategy/norm_bound.h"
#include "server/strategy/trimmed_mean.h"
#include "tests/support/temporary_folder.h"

using namespace fl;
using namespace fl::server;

namespace {

constexpr float largest = 4.0F;

/// Updates of devices on the disk.
struct Spool {
  Spool(std::size_t count, std::size_t elements) {
    Random random(count);
    for (std::size_t update = 0; update < count; ++update) {
      std::vector<float> values(elements);
      for (float& value : values) value = static_cast<float>(random.uniform() - 0.5);
      const std::string device = "device-" + std::to_string(100 + update);
      const std::filesystem::path path = folder / device;
      write_file_atomically(path, as_bytes(std::span<const float>(values)));
      updates.push_back(
          {device, path, Encoding::fp32, {static_cast<std::uint32_t>(1 + random.below(50)), 1, 1, 1.0}});
    }
  }

  test::TemporaryFolder folder;
  std::vector<RoundUpdate> updates;
};

std::vector<double> combined(const AggregationRule& rule, const std::vector<RoundUpdate>& updates,
                             std::size_t elements, std::size_t parts, std::size_t buffers = 0) {
  boost::asio::thread_pool workers(parts);
  const RoundUpdates round(workers, rule, updates, {elements + buffers, elements, largest, parts});
  std::vector<double> delta(elements);
  const std::size_t half = elements / 2 / block_elements * block_elements;
  round.combine(0, std::span(delta).first(half));
  round.combine(half, std::span(delta).subspan(half));
  workers.join();
  return delta;
}

ErrorCode failure_of(const std::vector<RoundUpdate>& updates, std::size_t elements) {
  try {
    combined(TrimmedMean(0.2), updates, elements, 2);
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("nothing failed");
  return ErrorCode::internal;
}

}  // namespace

TEST_CASE("any order of updates and any number of threads give the same bits under every rule (I4)") {
  constexpr std::size_t elements = 9'001;
  constexpr std::size_t buffers = 100;
  Spool spool(13, elements + buffers);
  const auto check = [&](const AggregationRule& rule) {
    Random random(17);
    std::vector<RoundUpdate> updates = spool.updates;
    const std::vector<double> expected = combined(rule, updates, elements, 1, buffers);
    for (std::size_t parts = 1; parts <= 8; ++parts) {
      random.shuffle(updates);
      CHECK(combined(rule, updates, elements, parts, buffers) == expected);
    }
  };
  check(TrimmedMean(trim_to_median));
  check(TrimmedMean(0.2));
  check(NormBound(10.0));
  check(Krum(5, 1));
  check(Krum(4, 6));
  check(GeometricMedian(4, 1e-6));
}

TEST_CASE("a hundred times as many updates as are held at once make the same bits as their values say (I5)") {
  // 300 updates are read by 13,824 elements at a time, and the model has more.
  constexpr std::size_t elements = 20'000;
  const Spool spool(300, elements);
  const std::vector<double> delta = combined(TrimmedMean(trim_to_median), spool.updates, elements, 2);
  std::vector<std::vector<float>> values;
  for (const RoundUpdate& update : spool.updates) {
    const Bytes bytes = read_file(update.delta);
    auto& floats = values.emplace_back(elements);
    std::memcpy(floats.data(), bytes.data(), bytes.size());
  }
  for (std::size_t i = 0; i < elements; i += 97) {
    std::vector<double> column;
    for (const auto& update : values) column.push_back(static_cast<double>(update[i]));
    std::sort(column.begin(), column.end());
    REQUIRE(std::abs(delta[i] - (column[149] + column[150]) / 2.0) < 1e-12);
  }
}

TEST_CASE("an update that is gone or cut short or changed on the disk makes no version") {
  constexpr std::size_t elements = 5'000;
  Spool spool(5, elements);
  const std::filesystem::path path = spool.updates[3].delta;
  std::vector<float> values(elements, 0.25F);
  values[4'999] = std::numeric_limits<float>::quiet_NaN();
  write_file_atomically(path, as_bytes(std::span<const float>(values)));
  CHECK(failure_of(spool.updates, elements) == ErrorCode::invalid_data);
  values[4'999] = 4.5F;
  write_file_atomically(path, as_bytes(std::span<const float>(values)));
  CHECK(failure_of(spool.updates, elements) == ErrorCode::invalid_data);
  values[4'999] = 4.0F;
  write_file_atomically(path, as_bytes(std::span<const float>(values)));
  CHECK(combined(TrimmedMean(0.2), spool.updates, elements, 2).size() == elements);
  std::filesystem::resize_file(path, 4 * elements - 1);
  CHECK(failure_of(spool.updates, elements) == ErrorCode::invalid_data);
  std::filesystem::remove(path);
  CHECK(failure_of(spool.updates, elements) == ErrorCode::not_found);
}

TEST_CASE("shared work is done once by whoever is free and also where no worker is") {
  boost::asio::thread_pool workers(2);
  for (const std::size_t parts : {1UL, 2UL, 7UL}) {
    std::vector<std::atomic<int>> done(parts);
    share_work(workers, parts, [&](std::size_t part) { ++done[part]; });
    for (const auto& times : done) CHECK(times == 1);
  }
  workers.stop();
  int done = 0;
  share_work(workers, 3, [&](std::size_t) { ++done; });
  CHECK(done == 3);
  CHECK_THROWS_AS(share_work(workers, 3, [](std::size_t) { throw std::runtime_error("broken"); }),
                  std::runtime_error);
}
