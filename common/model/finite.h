#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace fl {

/// The index of the first element that is NaN, infinite, or larger in magnitude than `bound`; nothing where
/// there is none. This is what a server asks of every delta before it counts.
std::optional<std::size_t> first_outside(std::span<const float> values, float bound);

}  // namespace fl
