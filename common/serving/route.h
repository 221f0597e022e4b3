#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fl::serving {

/// What a request of the Open Inference Protocol v2 asks for, or one for metrics.
enum class Ask : std::uint8_t { server, live, ready, model, model_ready, infer, metrics };

struct Route {
  Ask ask = Ask::server;
  std::string model;
  std::optional<std::uint64_t> version;  ///< Without, the one that serves.
};

/// Why there is no route, as an HTTP status: 404 for a target that the protocol does not have, with what
/// there is; 405 for a wrong method, with the right one.
struct NoRoute {
  unsigned status = 404;
  std::string sentence;
  std::string allow;  ///< For 405.
};

/// Of "GET" and "/v2/models/har/versions/7"; a query behind '?' is not looked at, and in names %xx is
/// decoded. HEAD is answered as GET is.
struct RouteResult {
  std::optional<Route> route;
  NoRoute none;
};
RouteResult route_of(std::string_view method, std::string_view target);

}  // namespace fl::serving
