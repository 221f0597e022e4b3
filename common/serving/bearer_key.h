#pragma once

#include <optional>
#include <string_view>

#include "common/net/http_message.h"

namespace fl::serving {

/// The key of "Authorization: Bearer KEY"; nothing where there is none, or more than one. Valid as long as
/// the request. To be compared by its hash, so that the time it takes tells nothing of the right one.
std::optional<std::string_view> bearer_key(const net::HttpRequest& head);

}  // namespace fl::serving
