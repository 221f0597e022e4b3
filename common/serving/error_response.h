#pragma once

#include <string>

#include "common/net/http_message.h"

namespace fl::serving {

/// {"error": "…"} with a status.
net::HttpResponse error_response(unsigned status, const std::string& sentence);

/// 401, saying which key is asked for.
net::HttpResponse unauthorized(const std::string& sentence);

}  // namespace fl::serving
