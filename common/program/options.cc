#include "common/program/options.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace fl::program {
namespace {

using Kind = Option::Kind;

constexpr std::size_t line_width = 100;
constexpr std::size_t description_column = 34;

bool by_place(const Option& option) {
  return option.kind == Kind::argument || option.kind == Kind::arguments;
}

std::string left_column(const Option& option) {
  if (by_place(option)) return "  " + option.name + (option.kind == Kind::arguments ? "..." : "");
  std::string text = "  --" + option.name;
  if (option.kind != Kind::flag) text += " " + option.placeholder;
  if (option.kind == Kind::values) text += "...";
  return text;
}

/// The description in lines that begin at description_column.
std::string wrapped(std::string_view text, std::size_t column) {
  std::string result;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    if (column + 1 + space > line_width) {
      result += "\n" + std::string(description_column, ' ');
      column = description_column;
    } else if (!result.empty()) {
      result += ' ';
      ++column;
    }
    result += text.substr(0, space);
    column += space;
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return result;
}

std::string help_line(const Option& option) {
  std::string line = left_column(option);
  if (line.size() + 2 > description_column) line += "\n" + std::string(description_column, ' ');
  const std::size_t width = line.size() - (line.rfind('\n') == std::string::npos ? 0 : line.rfind('\n') + 1);
  if (width < description_column) line.append(description_column - width, ' ');
  std::string description = option.description;
  if (option.fallback) description += " (default: " + *option.fallback + ")";
  return line + wrapped(description, description_column) + "\n";
}

}  // namespace

Options& Options::add(Option option) {
  option.group = by_place(option) ? "Arguments" : group_;
  options_.push_back(std::move(option));
  return *this;
}

Options& Options::argument(std::string name, std::string description) {
  return add({Kind::argument, std::move(name), {}, std::move(description), {}, {}});
}

Options& Options::arguments(std::string name, std::string description) {
  return add({Kind::arguments, std::move(name), {}, std::move(description), {}, {}});
}

Options& Options::flag(std::string name, std::string description) {
  return add({Kind::flag, std::move(name), {}, std::move(description), {}, {}});
}

Options& Options::value(std::string name, std::string placeholder, std::string description,
                        std::optional<std::string> fallback) {
  return add({Kind::value,
              std::move(name),
              std::move(placeholder),
              std::move(description),
              std::move(fallback),
              {}});
}

Options& Options::values(std::string name, std::string placeholder, std::string description) {
  return add({Kind::values, std::move(name), std::move(placeholder), std::move(description), {}, {}});
}

Options& Options::group(std::string title) {
  group_ = std::move(title);
  return *this;
}

Options& Options::json() {
  return flag("json", "print JSON instead of text for eyes");
}

Options& Options::config_file() {
  takes_config_file_ = true;
  return value(
      "config", "FILE",
      "read further options from this file, one \"name = value\" a line; the command line counts more");
}

const Option* Options::find(const std::string& name) const {
  const auto matches = [&](const Option& option) {
    if (option.name == name) return true;
    return option.name.ends_with('*') && name.size() >= option.name.size() &&
           name.starts_with(std::string_view(option.name).substr(0, option.name.size() - 1));
  };
  const auto found = std::find_if(options_.begin(), options_.end(), matches);
  return found == options_.end() ? nullptr : &*found;
}

std::string Options::usage() const {
  std::string text;
  bool named = false;
  for (const Option& option : options_) {
    if (option.kind == Kind::argument) text += option.name + " ";
    if (option.kind == Kind::arguments) text += option.name + "... ";
    named = named || !by_place(option);
  }
  text += named ? "[options]" : "";
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

std::string Options::help() const {
  std::string text;
  std::vector<std::string> done;
  for (const Option& first : options_) {
    if (std::find(done.begin(), done.end(), first.group) != done.end()) continue;
    done.push_back(first.group);
    text += (text.empty() ? "" : "\n") + first.group + ":\n";
    for (const Option& option : options_) {
      if (option.group == first.group) text += help_line(option);
    }
  }
  return text;
}

}  // namespace fl::program
