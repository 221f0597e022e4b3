#include "server/round/pace.h"

#include <algorithm>
#include <bit>

#include "common/base/random.h"

namespace fl::server {
namespace {

constexpr std::size_t smallest_crowd = 1'000;
constexpr double arrivals_for_a_place = 10.0;
constexpr double longest_window = 1'024.0;  // seconds
constexpr Milliseconds shortest_retry{1'000};
constexpr Seconds guessed_round_time{60.0};

}  // namespace

bool is_crowd(const Crowd& crowd) {
  return crowd.devices >= smallest_crowd;
}

Milliseconds crowd_window(const Crowd& crowd, std::size_t wanted) {
  const bool known = crowd.round_time > Milliseconds(0);
  const double round = known ? Seconds(crowd.round_time).count() : guessed_round_time.count();
  const double rounds = static_cast<double>(crowd.devices) /
                        (arrivals_for_a_place * static_cast<double>(std::max<std::size_t>(wanted, 1)));
  // In powers of two, so that it stays the same while its causes change a little.
  const auto whole = static_cast<std::uint64_t>(std::clamp(round * rounds, 1.0, longest_window));
  return std::chrono::seconds(std::bit_floor(whole));
}

Milliseconds crowd_retry(const Crowd& crowd, std::size_t wanted, std::uint64_t device_seed, Timestamp now) {
  const Milliseconds window = crowd_window(crowd, wanted);
  const Milliseconds::rep this_one = now.time_since_epoch() / window;
  const auto until_moment_in = [&](Milliseconds::rep number) {
    Random random(derive_seed(device_seed, static_cast<std::uint64_t>(number)));
    const std::uint64_t in_window = random.below(static_cast<std::uint64_t>(window.count()));
    return number * window + Milliseconds(in_window) - now.time_since_epoch();
  };
  const Milliseconds soonest = until_moment_in(this_one);
  return soonest >= shortest_retry ? soonest : std::max(until_moment_in(this_one + 1), shortest_retry);
}

}  // namespace fl::server
