#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "common/base/digest.h"

/// Private to server/admin.
namespace fl::server {

/// A request to the administration: a JSON object whose keys are asked for by name. Every method throws
/// Error(invalid_argument) naming the key that is missing or of the wrong kind.
class Request {
 public:
  explicit Request(std::string_view text);

  std::string text(std::string_view key) const;
  std::string text_or(std::string_view key, std::string_view otherwise) const;
  Digest digest(std::string_view key) const;
  /// Within [min, max]; `otherwise` where the key is missing.
  std::uint64_t number_or(std::string_view key, std::uint64_t otherwise, std::uint64_t min,
                          std::uint64_t max) const;

 private:
  boost::json::object object_;
};

}  // namespace fl::server
