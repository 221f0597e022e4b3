#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fl::program {

/// The known name that somebody who typed `name` most likely meant: the one with the fewest inserted,
/// removed, changed or swapped characters, as long as those are at most a third of it. Empty where none is
/// near.
std::string nearest(std::string_view name, std::span<const std::string> known);

/// "; did you mean NAME?" or nothing, to put after a sentence that refuses `name`.
std::string did_you_mean(std::string_view name, std::span<const std::string> known);

}  // namespace fl::program
