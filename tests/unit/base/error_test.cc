#include "common/base/error.h"

#include <cerrno>

#include <doctest/doctest.h>

using namespace fl;

TEST_CASE("an error says what, and where once it is told") {
  const Error error(ErrorCode::invalid_data, "not a number");
  const Error placed = error.within("line 3");
  CHECK(placed.code() == ErrorCode::invalid_data);
  CHECK(std::string(placed.what()) == "line 3: not a number");
  CHECK(name(placed.code()) == "invalid_data");
}

TEST_CASE("a system error keeps its kind") {
  try {
    throw_system_error(ENOSPC, "writing x");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::resource_exhausted);
    CHECK(std::string(error.what()) == "writing x: No space left on device");
  }
}
