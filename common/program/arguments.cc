#include "common/program/arguments.h"

#include <charconv>
#include <cmath>
#include <sstream>
#include <string_view>

namespace fl::program {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t comma = text.find(',');
    parts.emplace_back(trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::int64_t to_integer(const std::string& text, const std::string& where, std::int64_t min,
                        std::int64_t max) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc() || stop != end || text.empty()) {
    throw UsageError(where + ": '" + text + "' is not a whole number");
  }
  if (number < min || number > max) {
    const bool open = max == std::numeric_limits<std::int64_t>::max();
    throw UsageError(where + ": " + text + " is out of range; it must be at least " + std::to_string(min) +
                     (open ? "" : " and at most " + std::to_string(max)));
  }
  return number;
}

double to_number(const std::string& text, const std::string& where) {
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc() || stop != end || !std::isfinite(value)) {
    throw UsageError(where + ": '" + text + "' is not a number");
  }
  return value;
}

}  // namespace

std::string Arguments::text(const std::string& name) const {
  const std::optional<std::string> value = optional_text(name);
  if (!value) throw UsageError("the option --" + name + " is missing");
  return *value;
}

std::optional<std::string> Arguments::optional_text(const std::string& name) const {
  const auto given = values_.find(name);
  if (given != values_.end() && !given->second.values.empty()) return given->second.values.back();
  const Option* option = options_.find(name);
  return option == nullptr ? std::nullopt : option->fallback;
}

std::vector<std::string> Arguments::texts(const std::string& name) const {
  const auto given = values_.find(name);
  return given == values_.end() ? std::vector<std::string>{} : given->second.values;
}

std::vector<std::string> Arguments::list(const std::string& name) const {
  std::vector<std::string> parts = split(text(name));
  for (const std::string& part : parts) {
    if (part.empty()) throw UsageError(where(name) + ": an item of the list '" + text(name) + "' is empty");
  }
  return parts;
}

std::int64_t Arguments::integer(const std::string& name, std::int64_t min, std::int64_t max) const {
  return to_integer(text(name), where(name), min, max);
}

std::vector<std::int64_t> Arguments::integers(const std::string& name, std::int64_t min,
                                              std::int64_t max) const {
  std::vector<std::int64_t> values;
  for (const std::string& part : list(name)) values.push_back(to_integer(part, where(name), min, max));
  return values;
}

double Arguments::number(const std::string& name, double min) const {
  const double value = to_number(text(name), where(name));
  if (value >= min) return value;
  std::ostringstream sentence;
  sentence << where(name) << ": " << value << " is out of range; it must be at least " << min;
  throw UsageError(sentence.str());
}

std::vector<double> Arguments::numbers(const std::string& name) const {
  std::vector<double> values;
  for (const std::string& part : list(name)) values.push_back(to_number(part, where(name)));
  return values;
}

std::vector<std::string> Arguments::names_with(const std::string& prefix) const {
  std::map<std::size_t, std::string> in_order;
  for (const auto& [name, given] : values_) {
    if (name.starts_with(prefix)) in_order[given.order] = name;
  }
  std::vector<std::string> names;
  for (auto& [order, name] : in_order) names.push_back(std::move(name));
  return names;
}

Arguments::Given& Arguments::given(const std::string& name, const std::string& where) {
  Given& entry = values_[name];
  entry.where = where;
  if (entry.values.empty()) entry.order = values_.size();
  return entry;
}

std::string Arguments::where(const std::string& name) const {
  const auto given = values_.find(name);
  return given == values_.end() ? "--" + name : given->second.where;
}

}  // namespace fl::program
