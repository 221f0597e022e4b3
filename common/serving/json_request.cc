#include "common/serving/json_request.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <type_traits>
#include <utility>

#include <boost/json/basic_parser_impl.hpp>

#include "common/base/error.h"
#include "common/model/names.h"

namespace fl::serving {
namespace {

constexpr std::size_t deepest = 24;
constexpr std::size_t most_tensors = 64;
constexpr std::size_t most_dimensions = 16;
constexpr std::size_t longest_text = 1024;

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_argument, sentence);
}

/// What a value of the document is, by where it stands.
enum class Place : std::uint8_t {
  request,
  inputs,
  input,
  shape,
  data,
  outputs,
  output,
  parameters,  // of the object that it is in
  other,       // what the protocol does not have
};

template <typename Number>
void append_as(Bytes& data, Number number) {
  const ByteView bytes = std::as_bytes(std::span(&number, 1));
  data.insert(data.end(), bytes.begin(), bytes.end());
}

/// Whether the whole text is a number of that type.
template <typename Number>
bool parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size()) return false;
  if constexpr (std::is_floating_point_v<Number>) {
    if (error == std::errc::result_out_of_range) {  // what is too small is zero
      number = static_cast<Number>(std::strtod(std::string(text).c_str(), nullptr));
      return std::abs(number) < 1;
    }
  }
  return error == std::errc();
}

template <typename Number>
bool append_parsed(Bytes& data, std::string_view text) {
  Number number{};
  if (!parse(text, number)) return false;
  append_as(data, number);
  return true;
}

bool append_number(Bytes& data, Datatype datatype, std::string_view text) {
  switch (datatype) {
    case Datatype::boolean:
      if (text != "0" && text != "1") return false;
      append_as(data, static_cast<std::uint8_t>(text == "1" ? 1 : 0));
      return true;
    case Datatype::uint8:
      return append_parsed<std::uint8_t>(data, text);
    case Datatype::int8:
      return append_parsed<std::int8_t>(data, text);
    case Datatype::int16:
      return append_parsed<std::int16_t>(data, text);
    case Datatype::int32:
      return append_parsed<std::int32_t>(data, text);
    case Datatype::int64:
      return append_parsed<std::int64_t>(data, text);
    case Datatype::fp32:
      return append_parsed<float>(data, text);
    case Datatype::fp64:
      return append_parsed<double>(data, text);
    case Datatype::fp16:
      refuse("FP16 has no numbers in JSON; send it in binary");
  }
  return false;
}

/// Told by the parser of what it comes by, in the document's order.
class RequestHandler {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_key_size = longest_text;
  static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();

  /// `known`: what an earlier pass found out about the inputs; null in the first.
  RequestHandler(std::size_t most_data, const JsonRequest* known) : data_left_(most_data), known_(known) {}

  JsonRequest request;
  /// Data came before its datatype was known: the document has to be read once more.
  bool needs_datatypes = false;

  // The parser's names.
  bool on_document_begin(boost::json::error_code&) { return true; }
  bool on_document_end(boost::json::error_code&) { return true; }
  bool on_comment_part(std::string_view, boost::json::error_code&) { return true; }
  bool on_comment(std::string_view, boost::json::error_code&) { return true; }

  bool on_object_begin(boost::json::error_code&) {
    open_object();
    return true;
  }
  bool on_object_end(std::size_t, boost::json::error_code&) {
    places_.pop_back();
    keys_.pop_back();
    return true;
  }
  bool on_array_begin(boost::json::error_code&) {
    open_array();
    return true;
  }
  bool on_array_end(std::size_t count, boost::json::error_code&) {
    close_array(count);
    return true;
  }
  bool on_key_part(std::string_view part, std::size_t, boost::json::error_code&) {
    text_ += part;
    return true;
  }
  bool on_key(std::string_view part, std::size_t, boost::json::error_code&) {
    keys_.back() = text_.append(part);
    text_.clear();
    if (place() == Place::parameters) refuse_unsupported();
    return true;
  }
  bool on_string_part(std::string_view part, std::size_t, boost::json::error_code&) {
    add_text(part);
    return true;
  }
  bool on_string(std::string_view part, std::size_t, boost::json::error_code&) {
    if (!expects_something()) return true;
    add_text(part);
    take_text(text_);
    text_.clear();
    return true;
  }
  bool on_number_part(std::string_view part, boost::json::error_code&) {
    text_ += part;
    return true;
  }
  bool on_int64(std::int64_t, std::string_view part, boost::json::error_code&) { return end_number(part); }
  bool on_uint64(std::uint64_t, std::string_view part, boost::json::error_code&) { return end_number(part); }
  bool on_double(double, std::string_view part, boost::json::error_code&) { return end_number(part); }
  bool on_bool(bool value, boost::json::error_code&) {
    take_bool(value);
    return true;
  }
  bool on_null(boost::json::error_code&) {
    const bool is_optional = place() == Place::request && key() != "inputs";
    if (expects_something() && !is_optional) refuse(where() + " is null");
    return true;
  }

 private:
  Place place() const { return places_.empty() ? Place::other : places_.back(); }
  const std::string& key() const { return keys_.back(); }
  JsonInput& input() { return request.inputs.back(); }

  /// Whether the parameters at hand belong to an input, an output or the request.
  Place owner() const { return places_.at(places_.size() - 2); }

  std::string where() const {
    switch (place()) {
      case Place::request:
        return "the request's " + in_quotes(key());
      case Place::inputs:
        return "an element of 'inputs'";
      case Place::outputs:
        return "an element of 'outputs'";
      case Place::input:
        return in_quotes(key()) + " of input " + std::to_string(request.inputs.size() - 1);
      case Place::output:
        return in_quotes(key()) + " of output " + std::to_string(request.outputs.size() - 1);
      case Place::shape:
        return "'shape' of input " + std::to_string(request.inputs.size() - 1);
      case Place::data:
        return "'data' of input " + std::to_string(request.inputs.size() - 1);
      case Place::parameters:
        return "the parameter " + in_quotes(key());
      case Place::other:
        break;
    }
    return "the request";
  }

  /// Whether the value that comes is one that the protocol says the form of.
  bool expects_something() const {
    switch (place()) {
      case Place::request:
        return key() == "id" || key() == "inputs" || key() == "outputs" || key() == "parameters";
      case Place::input:
        return key() == "name" || key() == "shape" || key() == "datatype" || key() == "data" ||
               key() == "parameters";
      case Place::output:
        return key() == "name" || key() == "parameters";
      case Place::parameters:
        return is_known_parameter();
      case Place::other:
        return places_.empty();
      default:
        return true;
    }
  }

  /// What clients of other servers may ask for, and must not believe to have got.
  void refuse_unsupported() const {
    for (const char* const name : {"classification", "shared_memory_region", "sequence_id"}) {
      if (key() == name)
        throw Error(ErrorCode::failed_precondition,
                    "the parameter " + in_quotes(key()) + " is not supported");
    }
  }

  bool is_known_parameter() const {
    switch (owner()) {
      case Place::request:
        return key() == "binary_data_output" || key() == "timeout";
      case Place::input:
        return key() == "binary_data_size";
      case Place::output:
        return key() == "binary_data";
      default:
        return false;
    }
  }

  void open_object() {
    places_.push_back(place_of_object());
    keys_.emplace_back();
  }

  Place place_of_object() {
    if (places_.empty()) return Place::request;
    if (place() == Place::inputs) {
      if (request.inputs.size() == most_tensors) refuse("'inputs' has more than 64 elements");
      request.inputs.emplace_back();
      numbers_level_ = 0;
      return Place::input;
    }
    if (place() == Place::outputs) {
      if (request.outputs.size() == most_tensors) refuse("'outputs' has more than 64 elements");
      request.outputs.emplace_back();
      return Place::output;
    }
    if (!expects_something()) return Place::other;
    if (key() == "parameters" && place() != Place::parameters) return Place::parameters;
    refuse(where() + " must not be an object");
  }

  void open_array() {
    if (places_.empty()) refuse("the request must be a JSON object");
    if (place() == Place::data) return open_data();
    if (!expects_something()) {
      places_.push_back(Place::other);
      return;
    }
    if (place() == Place::request && key() == "inputs") {
      if (!request.inputs.empty()) refuse("'inputs' stands there twice");
      places_.push_back(Place::inputs);
    } else if (place() == Place::request && key() == "outputs") {
      if (!request.outputs.empty()) refuse("'outputs' stands there twice");
      places_.push_back(Place::outputs);
    } else if (place() == Place::input && key() == "shape") {
      if (input().shape) refuse(where() + " stands there twice");
      input().shape.emplace();
      places_.push_back(Place::shape);
    } else if (place() == Place::input && key() == "data") {
      if (input().has_data) refuse(where() + " stands there twice");
      begin_data();
    } else {
      refuse(where() + " must not be an array");
    }
  }

  void begin_data() {
    JsonInput& now = input();
    now.has_data = true;
    data_type_ = now.datatype;
    if (!data_type_ && known_ != nullptr) data_type_ = known_->inputs.at(request.inputs.size() - 1).datatype;
    if (!data_type_) needs_datatypes = true;
    places_.push_back(Place::data);
    level_ = 1;
  }

  void open_data() {
    if (level_ == numbers_level_) refuse(where() + " has numbers and arrays side by side");
    if (++level_ > most_dimensions) refuse(where() + " is nested too deep");
    places_.push_back(Place::data);
  }

  void close_array(std::size_t count) {
    if (place() == Place::data) {
      Shape& nested = input().nested;
      if (nested.size() < level_) nested.resize(level_, -1);
      std::int64_t& size = nested[level_ - 1];
      if (size >= 0 && size != static_cast<std::int64_t>(count)) {
        refuse(where() + " has arrays of different lengths side by side");
      }
      size = static_cast<std::int64_t>(count);
      --level_;
    }
    places_.pop_back();
  }

  bool end_number(std::string_view part) {
    if (text_.empty()) {
      take_number(part);
    } else {
      take_number(text_.append(part));
      text_.clear();
    }
    return true;
  }

  void take_number(std::string_view text) {
    if (place() == Place::data) return add_value(text);
    if (place() == Place::shape) {
      std::int64_t dimension = 0;
      if (!parse(text, dimension) || dimension < 0)
        refuse(where() + " has " + std::string(text.substr(0, 40)) + ", a dimension is an integer from 0 on");
      if (input().shape->size() == most_dimensions) refuse(where() + " has more than 16 dimensions");
      input().shape->push_back(dimension);
      return;
    }
    if (!expects_something()) return;
    if (place() == Place::parameters && owner() == Place::input) {
      take_parameter(text, "a number of bytes", input().binary_size);
    } else if (place() == Place::parameters && key() == "timeout") {
      take_parameter(text, "a number of microseconds", request.timeout);
    } else {
      refuse(where() + " must not be a number");
    }
  }

  void take_parameter(std::string_view text, const char* what, std::optional<std::uint64_t>& parameter) {
    std::uint64_t number = 0;
    if (parameter) refuse(where() + " stands there twice");
    if (!parse(text, number)) refuse(where() + " must be " + what);
    parameter = number;
  }

  void add_value(std::string_view text) {
    JsonInput& now = input();
    count_value(now);
    if (needs_datatypes) return;
    if (!take_room()) return;
    if (!append_number(now.data, *data_type_, text)) {
      refuse(where() + " has " + std::string(text.substr(0, 40)) + ", which is no " +
             std::string(fl::name(*data_type_)));
    }
  }

  bool take_room() {
    const std::size_t bytes = size_of(*data_type_);
    if (bytes > data_left_) input().overflows = true;
    if (input().overflows) return false;
    data_left_ -= bytes;
    return true;
  }

  void add_text(std::string_view part) {
    if (!expects_something()) return;
    if (text_.size() + part.size() > longest_text) refuse(where() + " is too long");
    text_ += part;
  }

  void count_value(JsonInput& now) {
    if (numbers_level_ == 0) numbers_level_ = level_;
    if (level_ != numbers_level_) refuse(where() + " has numbers and arrays side by side");
    ++now.count;
  }

  void take_bool(bool value) {
    if (place() == Place::data) {
      JsonInput& now = input();
      count_value(now);
      if (needs_datatypes) return;
      if (*data_type_ != Datatype::boolean)
        refuse(where() + " has true or false, which is no " + std::string(fl::name(*data_type_)));
      if (!take_room()) return;
      append_as(now.data, static_cast<std::uint8_t>(value ? 1 : 0));
      return;
    }
    if (!expects_something()) return;
    if (place() == Place::parameters && key() == "binary_data_output") {
      request.binary_outputs = value;
    } else if (place() == Place::parameters && owner() == Place::output) {
      request.outputs.back().binary = value;
    } else {
      refuse(where() + " must not be true or false");
    }
  }

  void take_text(const std::string& text) {
    if (!expects_something()) return;
    if (place() == Place::request && key() == "id") {
      request.id = text;
    } else if (place() == Place::input && key() == "name") {
      if (!input().name.empty()) refuse(where() + " stands there twice");
      input().name = text;
    } else if (place() == Place::input && key() == "datatype") {
      if (input().datatype) refuse(where() + " stands there twice");
      try {
        input().datatype = datatype_from_name(text);
      } catch (const Error& error) {
        refuse(where() + ": " + error.what());
      }
    } else if (place() == Place::output && key() == "name") {
      request.outputs.back().name = text;
    } else {
      refuse(where() + " must not be a text");
    }
  }

  std::size_t data_left_;  // bytes that values may still take
  const JsonRequest* known_;
  std::optional<Datatype> data_type_;  // of the values at hand
  std::vector<Place> places_;
  std::vector<std::string> keys_;  // of the objects that are open
  std::string text_;               // of what came in parts
  std::size_t level_ = 0;          // of arrays of data that are open
  std::size_t numbers_level_ = 0;  // the one that has the numbers; 0: none has come
};

RequestHandler read_once(std::string_view text, std::size_t most_data, const JsonRequest* known) {
  boost::json::parse_options options;
  options.max_depth = deepest;
  boost::json::basic_parser<RequestHandler> parser(options, most_data, known);
  boost::json::error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (!error && read < text.size()) error = boost::json::error::extra_data;
  if (error) refuse("the request is no JSON at byte " + std::to_string(read) + ": " + error.message());
  return std::move(parser.handler());
}

}  // namespace

JsonRequest read_json_request(std::string_view text, std::size_t most_data) {
  RequestHandler first = read_once(text, most_data, nullptr);
  if (!first.needs_datatypes) return std::move(first.request);
  for (JsonInput& input : first.request.inputs) {
    input.data = Bytes();
    if (!input.datatype) return std::move(first.request);  // which is refused for it
  }
  return std::move(read_once(text, most_data, &first.request).request);
}

}  // namespace fl::serving
