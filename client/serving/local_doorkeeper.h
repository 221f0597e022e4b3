#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/digest.h"
#include "common/serving/inference_service.h"

namespace fl::client {

/// Who may ask at a device's endpoint. It listens on loopback only, but every web page that a browser of this
/// machine shows can send requests there, also under a name of its own that it has lead to 127.0.0.1. So
///   - Host must name loopback and the port (403),
///   - Origin, which browsers add, must be among those that were allowed (403),
///   - Authorization must be "Bearer KEY" with the home's key (401), but for /v2/health/live and
///     /v2/health/ready.
/// Pages of an allowed origin may read the answers (CORS).
class LocalDoorkeeper final : public serving::Doorkeeper {
 public:
  /// `origins` as browsers send them: "https://app.example:8080".
  LocalDoorkeeper(std::uint16_t port, const std::string& key, std::vector<std::string> origins);

  std::optional<net::HttpResponse> refusal(const net::HttpRequest& head,
                                           const serving::RouteResult& route) override;
  net::HttpFields fields(const net::HttpRequest& head) override;

 private:
  bool is_our_host(const net::HttpRequest& head) const;
  /// The origin that a request comes from, where that is allowed.
  const std::string* allowed_origin(const net::HttpRequest& head) const;
  bool has_key(const net::HttpRequest& head) const;
  net::HttpResponse preflight(const net::HttpRequest& head) const;

  const std::uint16_t port_;
  const Digest key_;
  const std::vector<std::string> origins_;
};

}  // namespace fl::client
