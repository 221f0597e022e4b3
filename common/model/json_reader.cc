#include "common/model/json_reader.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <unordered_set>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>

namespace fl::json {
namespace {

using boost::json::error_code;
using boost::json::string_view;

constexpr std::size_t max_depth = 16;

/// What basic_parser calls as it goes; builds the document on a value_stack.
class Builder {
 public:
  static constexpr std::size_t max_object_size = boost::json::object::max_size();
  static constexpr std::size_t max_array_size = boost::json::array::max_size();
  static constexpr std::size_t max_key_size = boost::json::string::max_size();
  static constexpr std::size_t max_string_size = boost::json::string::max_size();

  boost::json::value release() { return stack_.release(); }

  bool on_document_begin(error_code& /*ec*/) {
    stack_.reset();
    return true;
  }
  bool on_document_end(error_code& /*ec*/) { return true; }
  bool on_object_begin(error_code& /*ec*/) {
    keys_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t count, error_code& /*ec*/) {
    stack_.push_object(count);
    keys_.pop_back();
    return true;
  }
  bool on_array_begin(error_code& /*ec*/) { return true; }
  bool on_array_end(std::size_t count, error_code& /*ec*/) {
    stack_.push_array(count);
    return true;
  }
  bool on_key_part(string_view part, std::size_t /*count*/, error_code& /*ec*/) {
    stack_.push_chars(part);
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_key(string_view part, std::size_t /*count*/, error_code& /*ec*/) {
    stack_.push_key(part);
    text_.append(part.data(), part.size());
    if (!keys_.back().insert(text_).second) {
      throw Error(ErrorCode::invalid_data, "the key " + in_quotes(text_) + " is there twice");
    }
    text_.clear();
    return true;
  }
  bool on_string_part(string_view part, std::size_t /*count*/, error_code& /*ec*/) {
    stack_.push_chars(part);
    return true;
  }
  bool on_string(string_view part, std::size_t /*count*/, error_code& /*ec*/) {
    stack_.push_string(part);
    return true;
  }
  bool on_number_part(string_view part, error_code& /*ec*/) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t number, string_view /*text*/, error_code& /*ec*/) {
    stack_.push_int64(number);
    text_.clear();
    return true;
  }
  bool on_uint64(std::uint64_t number, string_view /*text*/, error_code& /*ec*/) {
    stack_.push_uint64(number);
    text_.clear();
    return true;
  }
  bool on_double(double /*inexact*/, string_view part, error_code& /*ec*/) {
    text_.append(part.data(), part.size());
    double number = 0;
    const auto [end, fault] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
    if (fault != std::errc()) {
      throw Error(ErrorCode::invalid_data, "the number " + text_.substr(0, 40) + " is beyond a double");
    }
    stack_.push_double(number);
    text_.clear();
    return true;
  }
  bool on_bool(bool value, error_code& /*ec*/) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(error_code& /*ec*/) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(string_view /*part*/, error_code& /*ec*/) { return true; }
  bool on_comment(string_view /*part*/, error_code& /*ec*/) { return true; }

 private:
  boost::json::value_stack stack_;
  std::vector<std::unordered_set<std::string>> keys_;  ///< Of the objects that are open.
  std::string text_;                                   ///< Of the key or the number that is being read.
};

std::string describe_value(const boost::json::value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "null";
    case boost::json::kind::bool_:
      return value.get_bool() ? "true" : "false";
    case boost::json::kind::int64:
      return std::to_string(value.get_int64());
    case boost::json::kind::uint64:
      return std::to_string(value.get_uint64());
    case boost::json::kind::double_:
      return "a number with a fraction or an exponent, or too large";
    case boost::json::kind::string:
      return "a text";
    case boost::json::kind::array:
      return "a list";
    case boost::json::kind::object:
      return "an object";
  }
  return "unknown";
}

[[noreturn]] void refuse_syntax(const std::string& what, std::size_t at, const error_code& fault) {
  if (fault == boost::json::error::too_deep) {
    throw Error(ErrorCode::invalid_data, what + " is nested deeper than " + std::to_string(max_depth) +
                                             " levels, at byte " + std::to_string(at));
  }
  throw Error(ErrorCode::invalid_data, what + " is not JSON at byte " + std::to_string(at) + ": " +
                                           (fault ? fault.message() : "more follows the document"));
}

}  // namespace

boost::json::value parse(std::string_view text, const std::string& what, std::size_t limit) {
  if (text.size() > limit) {
    throw Error(ErrorCode::invalid_data, what + " has " + std::to_string(text.size()) + " bytes, at most " +
                                             std::to_string(limit) + " are allowed");
  }
  boost::json::parse_options options;
  options.max_depth = max_depth;
  boost::json::basic_parser<Builder> parser(options);
  error_code fault;
  std::size_t read = 0;
  try {
    read = parser.write_some(false, text.data(), text.size(), fault);
  } catch (const Error& error) {
    throw error.within(what);
  }
  if (fault || read != text.size()) refuse_syntax(what, read, fault);
  return parser.handler().release();
}

void refuse(const std::string& path, const std::string& expected, const boost::json::value& value) {
  throw Error(ErrorCode::invalid_data,
              "the key " + in_quotes(path) + " must be " + expected + ", it is " + describe_value(value));
}

void read(const boost::json::value& value, const std::string& path, std::string& out) {
  if (!value.is_string()) refuse(path, "a text", value);
  out = std::string(value.get_string());
}

void read(const boost::json::value& value, const std::string& path, double& out) {
  if (!value.is_number()) refuse(path, "a number", value);
  if (value.is_double()) out = value.get_double();
  if (value.is_int64()) out = static_cast<double>(value.get_int64());
  if (value.is_uint64()) out = static_cast<double>(value.get_uint64());
}

std::uint64_t read_unsigned(const boost::json::value& value, const std::string& path, std::uint64_t largest) {
  if (value.is_uint64() && value.get_uint64() <= largest) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0) {
    const auto number = static_cast<std::uint64_t>(value.get_int64());
    if (number <= largest) return number;
  }
  refuse(path, "a whole number from 0 to " + std::to_string(largest), value);
}

std::int64_t read_signed(const boost::json::value& value, const std::string& path) {
  if (!value.is_int64()) {
    refuse(path, "a whole number of at most " + std::to_string(std::numeric_limits<std::int64_t>::max()),
           value);
  }
  return value.get_int64();
}

const boost::json::array& read_array(const boost::json::value& value, const std::string& path) {
  if (!value.is_array()) refuse(path, "a list", value);
  return value.get_array();
}

ObjectReader::ObjectReader(const boost::json::value& value, std::string path)
    : object_(value.if_object()), path_(std::move(path)) {
  if (object_ == nullptr && path_.empty()) {
    throw Error(ErrorCode::invalid_data, "the document must be an object, it is " + describe_value(value));
  }
  if (object_ == nullptr) refuse(path_, "an object", value);
}

void ObjectReader::know(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
}

bool ObjectReader::has(std::string_view key) const {
  return object_->contains(key);
}

const boost::json::value& ObjectReader::value(std::string_view key) {
  know(key);
  const boost::json::value* found = object_->if_contains(key);
  if (found == nullptr) {
    throw Error(ErrorCode::invalid_data, "the key " + in_quotes(path_of(key)) + " is missing");
  }
  return *found;
}

void ObjectReader::finish() const {
  for (const auto& member : *object_) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    std::string known;
    for (const std::string& each : known_) known += (known.empty() ? "" : ", ") + each;
    throw Error(ErrorCode::invalid_data,
                "the key " + in_quotes(path_of(key)) + " is not known, the known ones are " + known);
  }
}

std::string ObjectReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

}  // namespace fl::json
