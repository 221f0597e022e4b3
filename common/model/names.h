#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/error.h"
#include "common/base/text.h"
#include "common/model/limits.h"

/// Names: of the values of an enumeration, and those that users give to things. Private to common/model.
namespace fl::names {

/// An enumeration's values and their names.
template <typename Value, std::size_t count>
using Table = std::array<std::pair<Value, std::string_view>, count>;

/// The value's name; throws Error(internal) for a value that is not in the table.
template <typename Value, std::size_t count>
std::string_view find_name(const Table<Value, count>& table, Value value) {
  for (const auto& [known, its_name] : table) {
    if (known == value) return its_name;
  }
  throw Error(ErrorCode::internal, "an enumeration has a value without a name");
}

/// The named value; throws Error(invalid_argument): "there is no `kind` 'x', the known ones are a, b".
template <typename Value, std::size_t count>
Value find_value(const Table<Value, count>& table, std::string_view kind, std::string_view name) {
  std::string known;
  for (const auto& [value, its_name] : table) {
    if (its_name == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(its_name);
  }
  throw Error(ErrorCode::invalid_argument,
              "there is no " + std::string(kind) + " " + in_quotes(name) + ", the known ones are " + known);
}

/// Why `name` cannot name a tensor, an input or a column ("is empty", "is longer than 256 bytes", …), or "".
std::string name_fault(std::string_view name);

/// Why `label` cannot be a class's name, or "". A label may hold control characters: a text's classes are
/// its characters, and the line's end is one.
std::string label_fault(std::string_view label);

/// Whether `name` is 1 to 64 characters of a-z, 0-9, '_' and '-'.
bool is_identifier(std::string_view name);

}  // namespace fl::names
