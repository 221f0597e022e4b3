#pragma once

#include <string>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "server/strategy/strategy.h"

namespace fl::test {

/// What make_strategy() says of a plan that it refuses; empty where it does not.
inline std::string refusal(const Plan& plan) {
  try {
    server::make_strategy(plan);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_argument);
    return error.what();
  }
  return "";
}

}  // namespace fl::test
