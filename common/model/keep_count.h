#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fl {

/// How many of something are kept, the newest; all of them where there is no number.
struct KeepCount {
  std::optional<std::uint64_t> newest;

  bool operator==(const KeepCount&) const = default;
};

/// "all", or the number.
std::string name(const KeepCount& keep);
/// Throws Error(invalid_argument) unless it is "all" or a whole number.
KeepCount keep_count_from_name(std::string_view name);

}  // namespace fl
