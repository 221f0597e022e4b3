#include "client/serving/local_doorkeeper.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"
#include "common/serving/bearer_key.h"
#include "common/serving/error_response.h"

namespace fl::client {

using net::HttpRequest;
using net::HttpResponse;

namespace {

bool is_health(const serving::RouteResult& route) {
  return route.route && (route.route->ask == serving::Ask::live || route.route->ask == serving::Ask::ready);
}

}  // namespace

LocalDoorkeeper::LocalDoorkeeper(std::uint16_t port, const std::string& key, std::vector<std::string> origins)
    : port_(port), key_(sha256(as_bytes(key))), origins_(std::move(origins)) {}

std::optional<HttpResponse> LocalDoorkeeper::refusal(const HttpRequest& head,
                                                     const serving::RouteResult& route) {
  if (!is_our_host(head)) {
    return serving::error_response(
        403, "this endpoint answers on loopback; Host must be localhost:" + std::to_string(port_) +
                 ", 127.0.0.1:" + std::to_string(port_) + " or [::1]:" + std::to_string(port_));
  }
  if (head.field("Origin") && allowed_origin(head) == nullptr) {
    return serving::error_response(403, "web pages of " + in_quotes(*head.field("Origin")) +
                                            " may not ask here; 'fl-client serve --origin' allows them");
  }
  if (head.method == "OPTIONS" && head.field("Origin")) return preflight(head);
  if (is_health(route) || has_key(head)) return std::nullopt;
  return serving::unauthorized(
      "Authorization must be 'Bearer KEY', with the key in the file serving.key of the device's home");
}

net::HttpFields LocalDoorkeeper::fields(const HttpRequest& head) {
  const std::string* const origin = allowed_origin(head);
  if (origin == nullptr) return {};
  return {{"Access-Control-Allow-Origin", *origin},
          {"Access-Control-Expose-Headers", "Inference-Header-Content-Length"},
          {"Vary", "Origin"}};
}

bool LocalDoorkeeper::is_our_host(const HttpRequest& head) const {
  const auto host = head.field("Host");
  if (!host || head.repeats("Host")) return false;
  for (const char* const name : {"localhost", "127.0.0.1", "[::1]"}) {
    if (equal_ignoring_case(*host, std::string(name) + ":" + std::to_string(port_))) return true;
    if (port_ == 80 && equal_ignoring_case(*host, name)) return true;
  }
  return false;
}

const std::string* LocalDoorkeeper::allowed_origin(const HttpRequest& head) const {
  const auto origin = head.field("Origin");
  if (!origin || head.repeats("Origin")) return nullptr;
  const auto found = std::find(origins_.begin(), origins_.end(), *origin);
  return found == origins_.end() ? nullptr : &*found;
}

bool LocalDoorkeeper::has_key(const HttpRequest& head) const {
  const std::optional<std::string_view> given = serving::bearer_key(head);
  return given && sha256(as_bytes(*given)) == key_;
}

HttpResponse LocalDoorkeeper::preflight(const HttpRequest& head) const {
  HttpResponse response{204, ""};
  response.fields = {
      {"Access-Control-Allow-Methods", "GET, POST"},
      {"Access-Control-Allow-Headers", "Authorization, Content-Type, Inference-Header-Content-Length"},
      {"Access-Control-Max-Age", "600"}};
  if (head.field("Access-Control-Request-Private-Network"))
    response.fields.emplace_back("Access-Control-Allow-Private-Network", "true");
  return response;
}

}  // namespace fl::client
