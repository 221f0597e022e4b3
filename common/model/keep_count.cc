#include "common/model/keep_count.h"

#include <charconv>

#include "common/base/error.h"
#include "common/base/text.h"

namespace fl {
namespace {

constexpr std::string_view all = "all";

}  // namespace

std::string name(const KeepCount& keep) {
  return keep.newest ? std::to_string(*keep.newest) : std::string(all);
}

KeepCount keep_count_from_name(std::string_view name) {
  if (name == all) return {};
  std::uint64_t number = 0;
  const auto [rest, fault] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (fault == std::errc() && rest == name.data() + name.size()) return {number};
  throw Error(ErrorCode::invalid_argument,
              in_quotes(name) + " is not how many to keep, which is a whole number or 'all'");
}

}  // namespace fl
