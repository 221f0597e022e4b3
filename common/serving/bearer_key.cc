#include "common/serving/bearer_key.h"

#include "common/base/text.h"

namespace fl::serving {

std::optional<std::string_view> bearer_key(const net::HttpRequest& head) {
  constexpr std::string_view scheme = "Bearer ";
  const auto given = head.field("Authorization");
  if (!given || given->size() <= scheme.size() || head.repeats("Authorization")) return std::nullopt;
  if (!equal_ignoring_case(given->substr(0, scheme.size()), scheme)) return std::nullopt;
  return given->substr(scheme.size());
}

}  // namespace fl::serving
