#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fl::client {

/// Which of `count` examples a device trains on that may use at most `most`: all of them, or `most` of them
/// chosen by `seed`; indices in ascending order. Pure, so that a simulated device chooses the same.
std::vector<std::size_t> chosen_examples(std::size_t count, std::size_t most, std::uint64_t seed);

}  // namespace fl::client
