#include "client/program/words.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace fl::program {
namespace {

constexpr std::array<std::string_view, 2> takes_files{"import", "predict"};
constexpr std::array<std::string_view, 2> takes_value{"--task", "--output"};

template <std::size_t count>
bool is_one_of(const std::array<std::string_view, count>& names, const std::string& word) {
  return std::find(names.begin(), names.end(), word) != names.end();
}

}  // namespace

std::vector<std::string> with_named_files(const std::vector<std::string>& words) {
  if (words.size() < 2 || !is_one_of(takes_files, words[1])) return words;
  std::vector<std::string> named(words.begin(), words.begin() + 2);
  std::vector<std::string> files;
  bool home_seen = false;
  bool in_data = false;
  for (std::size_t i = 2; i < words.size(); ++i) {
    const bool is_option = words[i].starts_with("-");
    if (is_option) in_data = words[i] == "--data";
    if (is_option || in_data || !home_seen) {
      named.push_back(words[i]);
      home_seen = home_seen || (!is_option && !in_data);
      if (is_one_of(takes_value, words[i]) && i + 1 < words.size()) named.push_back(words[++i]);
    } else {
      files.push_back(words[i]);
    }
  }
  if (files.empty()) return named;
  named.emplace_back("--data");
  named.insert(named.end(), files.begin(), files.end());
  return named;
}

}  // namespace fl::program
