#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fl::server {

/// Chooses `count` of the candidates (all, where there are fewer), each set equally likely, as `seed` says.
/// The choice depends on which candidates there are, not on their order; the result is sorted.
std::vector<std::string> select_cohort(std::vector<std::string> candidates, std::size_t count,
                                       std::uint64_t seed);

}  // namespace fl::server
