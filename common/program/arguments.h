#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/program/options.h"

namespace fl::program {

/// The command line is wrong: the program prints the sentence and ends with status 2.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& sentence) : Error(ErrorCode::invalid_argument, sentence) {}
};

/// What was given to a command, on the command line or in its configuration file. A value.
///
/// The readers throw UsageError where the value is not of the kind asked for, naming where it was given
/// ("--hours" or "task.ini:12: train.epochs"), what it is and what would be right.
class Arguments {
 public:
  /// Whether it was given; a default does not count.
  bool has(const std::string& name) const { return values_.contains(name); }
  /// The value given, or the default. Throws UsageError where there is neither.
  std::string text(const std::string& name) const;
  std::optional<std::string> optional_text(const std::string& name) const;
  std::filesystem::path path(const std::string& name) const { return text(name); }
  /// All values of an option of the kind `values` or `arguments`.
  std::vector<std::string> texts(const std::string& name) const;
  /// One value, "a,b,c", as its parts without the spaces around them.
  std::vector<std::string> list(const std::string& name) const;
  std::int64_t integer(const std::string& name, std::int64_t min = 0,
                       std::int64_t max = std::numeric_limits<std::int64_t>::max()) const;
  /// One value, "a,b,c", of whole numbers within bounds.
  std::vector<std::int64_t> integers(const std::string& name, std::int64_t min, std::int64_t max) const;
  double number(const std::string& name, double min = std::numeric_limits<double>::lowest()) const;
  std::vector<double> numbers(const std::string& name) const;

  /// The names given that begin with `prefix`, in the order in which they were given: those of an option
  /// "input.*". What stands on the command line comes before what stands in the file.
  std::vector<std::string> names_with(const std::string& prefix) const;
  /// Where a value comes from: "--hours", "DIR" or "task.ini:12: hours".
  std::string where(const std::string& name) const;

 private:
  friend Arguments parse(const Options& options, std::span<const std::string> tokens);
  friend Arguments parse_file(const Options& options, const std::filesystem::path& file);

  struct Given {
    std::vector<std::string> values;
    std::string where;
    std::size_t order = 0;
  };

  Given& given(const std::string& name, const std::string& where);

  Options options_;
  std::map<std::string, Given> values_;
};

/// Understands the words that follow a command's name. Throws UsageError naming the word that is unknown
/// (with the option that was likely meant), missing or too many; for a configuration file, as parse_file
/// does.
Arguments parse(const Options& options, std::span<const std::string> tokens);

/// Understands a configuration file alone. Throws Error(not_found) where there is none, and UsageError naming
/// file, line and key where a line is no setting, its key is unknown (with the nearest one) or comes twice.
Arguments parse_file(const Options& options, const std::filesystem::path& file);

}  // namespace fl::program
