#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fl::program {

/// One thing that a command takes.
struct Option {
  enum class Kind : std::uint8_t {
    argument,   ///< By its place; must be there.
    arguments,  ///< All the words that are left, at least one; comes last of those by their place.
    flag,       ///< --name
    value,      ///< --name VALUE
    values,     ///< --name VALUE..., also several times
  };

  Kind kind = Kind::value;
  std::string name;         ///< Without dashes. "input.*" stands for every name that begins with "input.".
  std::string placeholder;  ///< What the help calls the value: "FILE".
  std::string description;
  std::optional<std::string> fallback;
  std::string group;  ///< The heading under which the help lists it.
};

/// What a command takes, declared in the order in which the help lists it:
///
///   Options().argument("DIR", "the server's home").value("hours", "H", "how long it holds", "24").json();
class Options {
 public:
  Options& argument(std::string name, std::string description);
  Options& arguments(std::string name, std::string description);
  Options& flag(std::string name, std::string description);
  Options& value(std::string name, std::string placeholder, std::string description,
                 std::optional<std::string> fallback = std::nullopt);
  Options& values(std::string name, std::string placeholder, std::string description);

  /// The heading for the options that follow.
  Options& group(std::string title);
  /// --json, for commands that print a table.
  Options& json();
  /// --config FILE, a file of "name = value" lines for the options of this command (Boost.Program_options
  /// syntax, with sections). What stands on the command line counts more.
  Options& config_file();

  const std::vector<Option>& all() const { return options_; }
  bool takes_config_file() const { return takes_config_file_; }
  /// Null where there is no such option; patterns such as "input.*" are looked through too.
  const Option* find(const std::string& name) const;

  /// "DIR FILES... [options]"
  std::string usage() const;
  /// Every argument and option with its description, wrapped at 100 columns.
  std::string help() const;

 private:
  Options& add(Option option);

  std::vector<Option> options_;
  std::string group_ = "Options";
  bool takes_config_file_ = false;
};

}  // namespace fl::program
