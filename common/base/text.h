#pragma once

#include <string>
#include <string_view>

namespace fl {

/// Whether all of `text` is UTF-8 (Unicode 15, table 3-7).
bool is_utf8(std::string_view text);

/// Whether a byte is an ASCII control character.
bool is_control(char byte);

/// Whether two texts differ in the case of ASCII letters at most.
bool equal_ignoring_case(std::string_view one, std::string_view other);

/// The text with a space for each control character, those of Unicode from U+0080 to U+009F among them.
std::string without_controls(std::string_view text);

/// `text` in single quotes as it can stand in a sentence: control characters and what is not UTF-8 as \xNN,
/// cut after 80 bytes.
std::string in_quotes(std::string_view text);

}  // namespace fl
