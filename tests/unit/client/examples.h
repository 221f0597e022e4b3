#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/base/error.h"
#include "common/model/examples.h"

namespace fl::test {

/// An example of two inputs and the number of a class.
inline Example example_of(float x0, float x1, std::int64_t label) {
  const float values[] = {x0, x1};
  const std::int64_t target[] = {label};
  return {{make_tensor(std::span<const float>(values), {2})},
          make_tensor(std::span<const std::int64_t>(target), {})};
}

/// The code of the Error that `action` throws; fails where it throws none.
inline ErrorCode code_thrown_by(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  throw std::runtime_error("no Error was thrown");
}

/// The sentence of the Error that `action` throws.
inline std::string sentence_thrown_by(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  throw std::runtime_error("no Error was thrown");
}

}  // namespace fl::test
