#pragma once

#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/e2e/process.h"

namespace fl::test {

inline bool contains(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

/// How many lines of `text` hold these words.
inline std::size_t lines_with(const std::string& text, const std::string& words) {
  std::istringstream lines(text);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (contains(line, words)) ++count;
  }
  return count;
}

/// Runs a command that must fail with one line of error that holds every one of `words`.
inline void check_refused(const std::string& program, const std::vector<std::string>& arguments,
                          const std::vector<std::string>& words, int exit_code = 1) {
  const Ended ended = run(program, arguments);
  CAPTURE(ended.errors);
  CHECK(ended.exit_code == exit_code);
  CHECK(contains(ended.errors, program + ": error: "));
  CHECK(lines_with(ended.errors, "error: ") == 1);
  for (const std::string& word : words) {
    CAPTURE(word);
    CHECK(contains(ended.errors, word));
  }
}

}  // namespace fl::test
