#include "server/http/metrics_endpoint.h"

#include <memory>
#include <string_view>
#include <utility>

#include "common/net/listening.h"

namespace fl::server {

namespace {

using net::HttpRequest;
using net::HttpResponse;

HttpResponse response_of(unsigned status, std::string_view text) {
  return net::text_response(status, "text/plain; version=0.0.4; charset=utf-8", text);
}

class MetricsHandler final : public net::HttpHandler {
 public:
  explicit MetricsHandler(std::function<std::string()> text) : text_(std::move(text)) {}

  std::optional<HttpResponse> refusal(const HttpRequest& head) override {
    const std::string_view target = head.target;
    if (target.substr(0, target.find('?')) != "/metrics")
      return response_of(404, "there is /metrics and nothing else\n");
    if (head.method == "GET") return std::nullopt;
    HttpResponse response = response_of(405, "/metrics is read by GET\n");
    response.fields.emplace_back("Allow", "GET");
    return response;
  }

  void answer(HttpRequest /*request*/, OnAnswer on_answer) override { on_answer(response_of(200, text_())); }

  HttpResponse fault(unsigned status, const std::string& sentence, const HttpRequest& /*head*/) override {
    return response_of(status, sentence + "\n");
  }

 private:
  std::function<std::string()> text_;
};

}  // namespace

net::HttpLimits MetricsEndpoint::default_limits() {
  using std::chrono::seconds;
  return {.connections = 16,
          .body_bytes = 0,
          .keep_alive = false,
          .idle_time = seconds(5),
          .head_time = seconds(5),
          .write_time = seconds(5)};
}

MetricsEndpoint::MetricsEndpoint(boost::asio::io_context& context, const net::Endpoint& endpoint,
                                 std::function<std::string()> text, const net::HttpLimits& limits)
    : endpoint_(context.get_executor(),
                net::listen_on(context, endpoint,
                               "free the port, or set 'metrics' in fl-server.ini to another one or to off"),
                std::make_shared<MetricsHandler>(std::move(text)), std::nullopt, limits) {}

}  // namespace fl::server
