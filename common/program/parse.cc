#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>

#include <boost/program_options.hpp>

#include "common/base/files.h"
#include "common/base/text.h"
#include "common/program/arguments.h"
#include "common/program/nearest.h"

namespace fl::program {
namespace {

namespace po = boost::program_options;
using Kind = Option::Kind;

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";  // which some editors begin a file with

bool is_by_place(const Option& option) {
  return option.kind == Kind::argument || option.kind == Kind::arguments;
}

bool takes_several(const Option& option) {
  return option.kind == Kind::values || option.kind == Kind::arguments;
}

po::options_description description_of(const Options& options) {
  po::options_description description;
  for (const Option& option : options.all()) {
    const char* name = option.name.c_str();
    if (option.kind == Kind::flag) description.add_options()(name, po::bool_switch(), "");
    if (option.kind == Kind::value) description.add_options()(name, po::value<std::string>(), "");
    if (option.kind == Kind::values) {
      description.add_options()(name, po::value<std::vector<std::string>>()->multitoken(), "");
    }
  }
  return description;
}

std::vector<std::string> names_of(const Options& options) {
  std::vector<std::string> names;
  for (const Option& option : options.all()) {
    if (!is_by_place(option)) names.push_back(option.name);
  }
  return names;
}

/// A file names no file.
std::vector<std::string> names_in_file(const Options& options) {
  std::vector<std::string> names = names_of(options);
  std::erase(names, "config");
  return names;
}

std::string refusal_of_unknown(std::string name, const Options& options) {
  name.erase(0, name.find_first_not_of('-'));
  std::vector<std::string> known = names_of(options);
  for (std::string& each : known) each.insert(0, "--");
  known.emplace_back("--help");
  return "unknown option --" + name + did_you_mean("--" + name, known);
}

po::parsed_options parse_tokens(const Options& options, std::span<const std::string> tokens) {
  namespace style = po::command_line_style;
  const po::options_description description = description_of(options);
  try {
    return po::command_line_parser({tokens.begin(), tokens.end()})
        .options(description)
        .style(style::unix_style & ~style::allow_guessing)
        .run();
  } catch (const po::unknown_option& error) {
    throw UsageError(refusal_of_unknown(error.get_option_name(), options));
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }
}

/// The number of the line for which `matches(section.key, line)` holds; 0 where there is none.
template <typename Matches>
std::size_t line_where(const std::string& text, Matches matches) {
  std::istringstream stream(text);
  std::string section;
  std::size_t number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    line.erase(0, line.find_first_not_of(" \t"));
    if (line.starts_with('[')) section = line.substr(1, line.find(']') - 1) + ".";
    const std::size_t end = line.find_last_not_of(" \t", line.find('=') - 1);
    if (matches(section + line.substr(0, end + 1), line)) return number;
  }
  return 0;
}

std::size_t line_of_key(const std::string& text, const std::string& key, std::size_t occurrence) {
  return line_where(text, [&](const std::string& name, const std::string& line) {
    return name == key && line.find('=') != std::string::npos && occurrence-- == 0;
  });
}

/// The file's settings. Unregistered keys are let through, for an error that names the nearest one.
po::parsed_options parse_lines(const std::filesystem::path& file, const std::string& text) {
  std::istringstream stream(text);
  try {
    return po::parse_config_file(stream, po::options_description(), true);
  } catch (const po::invalid_config_file_syntax& error) {
    const std::string token = error.tokens();
    const std::size_t line = line_where(text, [&](const std::string&, const std::string& content) {
      const bool is_section = content.starts_with('[') && content.find(']') != std::string::npos;
      return !content.empty() && !content.starts_with('#') && !is_section &&
             content.find('=') == std::string::npos && content.find(token) != std::string::npos;
    });
    throw UsageError(file.string() + ":" + std::to_string(line) + ": " + in_quotes(token) +
                     " is no setting; a line reads \"name = value\", or \"[section]\"");
  } catch (const po::error& error) {
    throw UsageError(file.string() + ": " + error.what());
  }
}

std::string in_file(const std::filesystem::path& file, std::size_t line, const std::string& key) {
  const std::string quoted = in_quotes(key);  // without its quotes
  return file.string() + ":" + std::to_string(line) + ": " + quoted.substr(1, quoted.size() - 2);
}

}  // namespace

Arguments parse_file(const Options& options, const std::filesystem::path& file) {
  std::string text = read_text_file(file, std::size_t{1} << 20U);
  if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
  Arguments arguments;
  arguments.options_ = options;
  for (const po::option& setting : parse_lines(file, text).options) {
    const std::string& key = setting.string_key;
    const Option* option = options.find(key);
    if (option == nullptr || is_by_place(*option) || key == "config") {
      throw UsageError(in_file(file, line_of_key(text, key, 0), key) + ": unknown setting" +
                       did_you_mean(key, names_in_file(options)));
    }
    const std::size_t line = line_of_key(text, key, arguments.texts(key).size());
    auto& given = arguments.given(key, in_file(file, line, key));
    if (!given.values.empty() && option->kind != Kind::values) {
      throw UsageError(given.where + ": the setting is given a second time");
    }
    given.values.push_back(setting.value.front());
  }
  return arguments;
}

namespace {

/// Gives the words without a name to the arguments in their order.
class Places {
 public:
  explicit Places(const Options& options) {
    for (const Option& option : options.all()) {
      if (is_by_place(option)) places_.push_back(option);
    }
  }

  const std::string& next(const std::string& word) {
    if (taken_ == places_.size()) throw UsageError("'" + word + "' is one argument too many");
    const Option& place = places_[taken_];
    if (place.kind == Kind::arguments) {
      several_taken_ = true;
    } else {
      ++taken_;
    }
    return place.name;
  }

  void check_complete() const {
    if (taken_ < places_.size() && !several_taken_) {
      throw UsageError(places_[taken_].name + " is missing: " + places_[taken_].description);
    }
  }

 private:
  std::vector<Option> places_;
  std::size_t taken_ = 0;
  bool several_taken_ = false;
};

}  // namespace

Arguments parse(const Options& options, std::span<const std::string> tokens) {
  Arguments arguments;
  arguments.options_ = options;
  Places places(options);
  for (const po::option& word : parse_tokens(options, tokens).options) {
    const bool by_place = word.string_key.empty();
    const std::string name = by_place ? places.next(word.value.front()) : word.string_key;
    auto& given = arguments.given(name, by_place ? name : "--" + name);
    if (!given.values.empty() && !takes_several(*options.find(name))) {
      throw UsageError("--" + name + " is given a second time");
    }
    given.values.insert(given.values.end(), word.value.begin(), word.value.end());
  }
  places.check_complete();
  if (options.takes_config_file() && arguments.has("config")) {
    Arguments from_file = parse_file(options, arguments.text("config"));
    for (auto& [name, given] : from_file.values_) given.order += arguments.values_.size();
    arguments.values_.merge(from_file.values_);
  }
  return arguments;
}

}  // namespace fl::program
