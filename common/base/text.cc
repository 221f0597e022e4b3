#include "common/base/text.h"

#include <algorithm>
#include <cstddef>

#include "common/base/bytes.h"

namespace fl {
namespace {

bool continues(std::string_view text, std::size_t from, std::size_t count) {
  if (text.size() - from < count) return false;
  return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(from),
                     text.begin() + static_cast<std::ptrdiff_t>(from + count),
                     [](char each) { return (static_cast<unsigned char>(each) & 0xc0U) == 0x80U; });
}

/// The bytes of the UTF-8 character that `text` has at `at`; 0 where it has none.
std::size_t character_size(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return 1;
  const std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (lead < 0xc2 || lead > 0xf4 || !continues(text, at + 1, more)) return 0;
  const auto second = static_cast<unsigned char>(text[at + 1]);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool no_scalar = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
  return overlong || no_scalar ? 0 : more + 1;
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_size(text, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

namespace {

/// U+0080 to U+009F, by which a terminal may be told to do things as well.
bool is_late_control(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size() || text[at] != '\xc2') return false;
  const auto second = static_cast<unsigned char>(text[at + 1]);
  return second >= 0x80 && second < 0xa0;
}

}  // namespace

bool is_control(char byte) {
  return static_cast<unsigned char>(byte) < 0x20 || byte == '\x7f';
}

bool equal_ignoring_case(std::string_view one, std::string_view other) {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  };
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

std::string without_controls(std::string_view text) {
  std::string result(text);
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (is_control(result[i])) result[i] = ' ';
    if (is_late_control(result, i)) result.replace(i, 2, " ");
  }
  return result;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 80;
  std::string result = "'";
  std::size_t at = 0;
  while (at < text.size() && at < longest) {
    const bool is_shown = !is_control(text[at]) && !is_late_control(text, at);
    const std::size_t size = is_shown ? character_size(text, at) : 0;
    result += size == 0 ? "\\x" + to_hex(as_bytes(text.substr(at, 1))) : std::string(text.substr(at, size));
    at += std::max<std::size_t>(size, 1);
  }
  return result + (at < text.size() ? "…'" : "'");
}

}  // namespace fl
