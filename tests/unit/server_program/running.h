#pragma once

#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "server/program/commands.h"

namespace fl::test {

/// What fl-server printed and ended with.
struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

/// Runs fl-server in this process. Takes std::cout and std::cerr for as long as it runs.
inline Outcome run(std::vector<std::string> words) {
  words.insert(words.begin(), "fl-server");
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  std::ostringstream out;
  std::ostringstream err;
  std::streambuf* const old_out = std::cout.rdbuf(out.rdbuf());
  std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
  const int status =
      program::run_program(server::fl_server(), static_cast<int>(pointers.size()), pointers.data());
  std::cout.rdbuf(old_out);
  std::cerr.rdbuf(old_err);
  return {status, out.str(), err.str()};
}

inline std::vector<std::string> joined(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

inline bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

/// The options of a small task of windows.
inline std::vector<std::string> window_options() {
  return {"--data.format", "windows", "--data.columns", "x,y",      "--data.label", "label",
          "--data.window", "8",       "--labels",       "rest,walk"};
}

}  // namespace fl::test
