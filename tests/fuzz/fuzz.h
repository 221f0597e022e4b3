#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/error.h"

namespace fl::fuzz {

/// Tries one input, which is valid until it returns; each target defines it.
void try_input(ByteView input);

/// Ends the run, as a crash would, where a property does not hold.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", property);
  std::abort();
}

/// What `parse` makes of the input; nothing where it refuses it as bad input. It may do nothing else: any
/// other exception ends the run.
template <typename Parse>
auto unless_refused(Parse parse) -> std::optional<decltype(parse())> {
  try {
    return parse();
  } catch (const Error& error) {
    const ErrorCode code = error.code();
    const bool of_input =
        code == ErrorCode::invalid_data || code == ErrorCode::invalid_argument || code == ErrorCode::protocol;
    require(of_input, "bad input is refused by a code that says so");
    require(!std::string_view(error.what()).empty(), "an error says what is wrong");
    return std::nullopt;
  }
}

/// For readers of JSON: what was read and written is read as the same again.
template <typename Read>
void require_same_again(std::string_view text, Read read) {
  const auto value = unless_refused([&] { return read(text); });
  if (!value) return;
  const std::string written = to_json(*value);
  require(to_json(read(written)) == written, "what was written is read as the same");
}

/// The first byte of the input, taken off it; 0 where there is none.
inline std::uint8_t take_byte(ByteView& input) {
  if (input.empty()) return 0;
  const auto byte = std::to_integer<std::uint8_t>(input.front());
  input = input.subspan(1);
  return byte;
}

}  // namespace fl::fuzz
