#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/model/plan.h"

namespace fl::server {

/// Chooses `count` of the candidates (all, where there are fewer) as `sampling` and `seed` say; `took_part`
/// is when each last did, and who never did is not in it. The choice depends on which candidates there are,
/// not on their order; the result is sorted.
std::vector<std::string> select_cohort(std::vector<std::string> candidates, std::size_t count,
                                       std::uint64_t seed, Sampling sampling = Sampling::uniform,
                                       const std::map<std::string, Timestamp>& took_part = {});

}  // namespace fl::server
