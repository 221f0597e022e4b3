#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/value.hpp>

#include "common/base/error.h"
#include "common/model/names.h"

/// Reading of small JSON documents with the same strictness and the same sentences everywhere. Private to
/// common/model.
namespace fl::json {

/// Parses a whole document. Numbers with a fraction become the nearest double, so that what was written is
/// read back bit for bit (Boost.JSON 1.81 by itself may be off by the last bit). Throws Error(invalid_data),
/// beginning with `what`, where the text is longer than `limit` bytes, is not JSON, is nested deeper than 16
/// levels, or has a key twice in one object.
boost::json::value parse(std::string_view text, const std::string& what, std::size_t limit);

/// Throws Error(invalid_data): "the key 'path' must be …, it is …".
[[noreturn]] void refuse(const std::string& path, const std::string& expected,
                         const boost::json::value& value);

void read(const boost::json::value& value, const std::string& path, std::string& out);
void read(const boost::json::value& value, const std::string& path, double& out);
std::uint64_t read_unsigned(const boost::json::value& value, const std::string& path, std::uint64_t largest);
std::int64_t read_signed(const boost::json::value& value, const std::string& path);
const boost::json::array& read_array(const boost::json::value& value, const std::string& path);

template <std::unsigned_integral Number>
void read(const boost::json::value& value, const std::string& path, Number& out) {
  out = static_cast<Number>(read_unsigned(value, path, std::numeric_limits<Number>::max()));
}

inline void read(const boost::json::value& value, const std::string& path, std::int64_t& out) {
  out = read_signed(value, path);
}

template <typename Element>
void read(const boost::json::value& value, const std::string& path, std::vector<Element>& out) {
  out.clear();
  for (const boost::json::value& element : read_array(value, path)) {
    const std::string element_path = path + "[" + std::to_string(out.size()) + "]";
    read(element, element_path, out.emplace_back());
  }
}

/// Runs `parse` and turns what it throws into Error(invalid_data) naming `path`.
template <typename Parse>
auto within_key(const std::string& path, Parse parse) {
  try {
    return parse();
  } catch (const Error& error) {
    throw Error(ErrorCode::invalid_data, "the key " + in_quotes(path) + ": " + error.what());
  }
}

/// One object of a document: each of its keys is asked for by name, then finish() refuses those that nobody
/// asked for. Keeps references to the document.
class ObjectReader {
 public:
  /// `path` names the object in errors; empty for the document itself. Throws Error(invalid_data) if `value`
  /// is not an object.
  ObjectReader(const boost::json::value& value, std::string path);

  /// Says that a key may be there, though it may not be asked for.
  void know(std::string_view key);
  bool has(std::string_view key) const;
  /// The value of a key, or throws Error(invalid_data): "the key 'path' is missing".
  const boost::json::value& value(std::string_view key);
  /// The object of a key.
  ObjectReader object(std::string_view key) { return {value(key), path_of(key)}; }

  template <typename Out>
  void required(std::string_view key, Out& out) {
    read(value(key), path_of(key), out);
  }

  /// Leaves `out` as it is where the key is missing.
  template <typename Out>
  void optional(std::string_view key, Out& out) {
    know(key);
    if (has(key)) required(key, out);
  }

  /// A text that `parse` turns into a value: an enumeration's name, a digest.
  template <typename Out, typename Parse>
  void required(std::string_view key, Out& out, Parse parse) {
    std::string text;
    required(key, text);
    out = within_key(path_of(key), [&] { return parse(text); });
  }

  template <typename Out, typename Parse>
  void optional(std::string_view key, Out& out, Parse parse) {
    know(key);
    if (has(key)) required(key, out, parse);
  }

  /// Throws Error(invalid_data) naming the first key that was not asked for, and those that were.
  void finish() const;

  std::string path_of(std::string_view key) const;

 private:
  const boost::json::object* object_;
  std::string path_;
  std::vector<std::string> known_;
};

}  // namespace fl::json
