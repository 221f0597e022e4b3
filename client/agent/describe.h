#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/engine/engine.h"

/// Words for events.
namespace fl::client {

/// "0.5312"
std::string short_number(double value);
/// "12.3 MB"
std::string short_bytes(std::uint64_t bytes);
/// "accuracy 0.8231 on 412 held-out examples", or "no held-out examples to test it on".
std::string describe(const std::optional<Evaluation>& evaluation);

}  // namespace fl::client
