#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "common/net/http_message.h"
#include "common/serving/infer_request.h"
#include "common/serving/repository.h"
#include "common/serving/route.h"
#include "common/serving/serving_metrics.h"

namespace fl::serving {

/// Who may ask at one of the doors. Any thread.
class Doorkeeper {
 public:
  virtual ~Doorkeeper() = default;

  /// What a request is told instead of an answer; nothing: it may ask.
  virtual std::optional<net::HttpResponse> refusal(const net::HttpRequest& head,
                                                   const RouteResult& route) = 0;
  /// Fields that every answer to it carries.
  virtual net::HttpFields fields(const net::HttpRequest& head) = 0;
};

/// The Open Inference Protocol v2, as docs/serving.md lists it: the same on the device and on the server.
/// What it refuses it answers with {"error": "…"} and
///   400  a request that is malformed or does not fit its model    404  no such model, version or path
///   405  a wrong method                                           413  more than RequestLimits
///   415  a body that is compressed                                500  the model failed
///   501  what is not done here                                    503  not ready, busy, or late
///
/// Refers to the repository and the metrics, which outlive it.
class InferenceService final : public net::HttpHandler {
 public:
  struct Settings {
    std::string server_name;     ///< In the server's metadata: "fl-client".
    std::string server_version;  ///< "0.1.0"
    std::string route;           ///< In each answer: "local" or "server".
    RequestLimits limits;
    /// For a request that does not say how long its answer is of use; the most for one that does.
    std::chrono::milliseconds time{30'000};
    bool shows_metrics = false;  ///< At /metrics.
  };

  InferenceService(const Repository& repository, ServingMetrics& metrics,
                   std::unique_ptr<Doorkeeper> doorkeeper, Settings settings);

  std::optional<net::HttpResponse> refusal(const net::HttpRequest& head) override;
  void answer(net::HttpRequest request, OnAnswer on_answer) override;
  net::HttpResponse fault(unsigned status, const std::string& sentence,
                          const net::HttpRequest& head) override;

 private:
  net::HttpResponse told(const Route& route) const;
  net::HttpResponse with_fields(net::HttpResponse response, const net::HttpRequest& head) const;
  void infer(const net::HttpRequest& request, const Route& route, const OnAnswer& on_answer) const;

  const Repository& repository_;
  ServingMetrics& metrics_;
  const std::unique_ptr<Doorkeeper> doorkeeper_;
  const Settings settings_;
};

}  // namespace fl::serving
