#include "common/net/http_message.h"

#include <algorithm>

#include "common/base/text.h"

namespace fl::net {

std::optional<std::string_view> HttpRequest::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return std::nullopt;
}

bool HttpRequest::repeats(std::string_view name) const {
  return std::count_if(fields.begin(), fields.end(),
                       [&](const auto& field) { return equal_ignoring_case(field.first, name); }) > 1;
}

HttpResponse text_response(unsigned status, std::string content_type, std::string_view text) {
  const ByteView bytes = as_bytes(text);
  return {status, std::move(content_type), {}, {bytes.begin(), bytes.end()}};
}

}  // namespace fl::net
