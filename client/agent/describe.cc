#include "client/agent/describe.h"

#include <array>
#include <cstdio>

namespace fl::client {

std::string short_number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

std::string short_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> units{"B", "KB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000.0 && unit + 1 < units.size(); ++unit) value /= 1000.0;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units.at(unit));
  return text.data();
}

std::string describe(const std::optional<Evaluation>& evaluation) {
  if (!evaluation || evaluation->examples == 0) return "no held-out examples to test it on";
  const std::string on = " on " + std::to_string(evaluation->examples) + " held-out examples";
  if (evaluation->accuracy) return "accuracy " + short_number(*evaluation->accuracy) + on;
  return "loss " + short_number(evaluation->loss) + on;
}

}  // namespace fl::client
