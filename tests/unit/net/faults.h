#pragma once

#include <optional>
#include <string>

#include "common/base/error.h"

namespace fl::test {

/// What `function` throws as an Error; none where it throws nothing.
template <typename Function>
std::optional<Error> error_of(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

/// Whether there is an error of this code, whose sentence holds these words.
inline bool says(const std::optional<Error>& error, ErrorCode code, const std::string& words) {
  return error && error->code() == code && std::string(error->what()).find(words) != std::string::npos;
}

}  // namespace fl::test
