#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/bytes.h"

namespace fl::net {

using HttpFields = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string target;
  HttpFields fields;  ///< As they came.
  Bytes body;

  /// The value of a field, whatever the case of its name; nothing where it is not there.
  std::optional<std::string_view> field(std::string_view name) const;
  /// Whether a field stands there more than once.
  bool repeats(std::string_view name) const;
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type;  ///< Empty: there is no body.
  HttpFields fields = {};  ///< Besides Content-Type, Content-Length, Cache-Control (no-store) and Connection.
  Bytes body = {};
};

HttpResponse text_response(unsigned status, std::string content_type, std::string_view text);

/// What answers the requests that come to an HttpEndpoint. Called by any of its threads, several at a time.
class HttpHandler {
 public:
  /// To be called exactly once, on any thread.
  using OnAnswer = std::function<void(HttpResponse response)>;

  virtual ~HttpHandler() = default;

  /// Why a request is refused before its body is read, which `head` does not have yet; nothing: it is not.
  virtual std::optional<HttpResponse> refusal(const HttpRequest& head) = 0;
  /// Answers a request. Must neither block nor throw.
  virtual void answer(HttpRequest request, OnAnswer on_answer) = 0;
  /// What a peer is told whose bytes are no request, too many, or more than fit now. `head` is what is known
  /// of the request, or empty.
  virtual HttpResponse fault(unsigned status, const std::string& sentence, const HttpRequest& head) = 0;
};

}  // namespace fl::net
