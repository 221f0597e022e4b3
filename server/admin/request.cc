#include "server/admin/request.h"

#include <boost/json.hpp>

#include "common/base/error.h"

namespace fl::server {
namespace {

[[noreturn]] void refuse(const std::string& sentence) {
  throw Error(ErrorCode::invalid_argument, sentence);
}

boost::json::object parse(std::string_view text) {
  boost::json::error_code fault;
  const boost::json::value value = boost::json::parse(text, fault);
  if (fault) refuse("the request is not JSON: " + fault.message());
  if (!value.is_object()) refuse("the request is not a JSON object");
  return value.get_object();
}

}  // namespace

Request::Request(std::string_view text) : object_(parse(text)) {}

std::string Request::text(std::string_view key) const {
  const boost::json::value* value = object_.if_contains(key);
  if (value == nullptr) refuse("the request's key '" + std::string(key) + "' is missing");
  if (!value->is_string()) refuse("the request's key '" + std::string(key) + "' must be a text");
  return {value->get_string().data(), value->get_string().size()};
}

std::string Request::text_or(std::string_view key, std::string_view otherwise) const {
  return object_.contains(key) ? text(key) : std::string(otherwise);
}

Digest Request::digest(std::string_view key) const {
  try {
    return Digest::from_hex(text(key));
  } catch (const Error& error) {
    refuse("the request's key '" + std::string(key) + "': " + error.what());
  }
}

std::uint64_t Request::number_or(std::string_view key, std::uint64_t otherwise, std::uint64_t min,
                                 std::uint64_t max) const {
  const boost::json::value* value = object_.if_contains(key);
  if (value == nullptr) return otherwise;
  boost::json::error_code fault;
  const auto number = value->to_number<std::uint64_t>(fault);
  if (fault || number < min || number > max) {
    refuse(std::string(key) + " must be a whole number from " + std::to_string(min) + " to " +
           std::to_string(max));
  }
  return number;
}

}  // namespace fl::server
