#include "common/serving/route.h"

#include <charconv>
#include <utility>
#include <vector>

#include "common/model/names.h"

namespace fl::serving {
namespace {

constexpr std::string_view what_there_is =
    "there are /v2, /v2/health/live, /v2/health/ready and /v2/models/NAME, with /versions/NUMBER behind it "
    "or "
    "without, and /ready or /infer behind that";

std::optional<unsigned> hexadecimal(std::string_view digits) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 2 || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<std::string> decoded(std::string_view segment) {
  std::string text;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      text += segment[i];
      continue;
    }
    const auto value = hexadecimal(segment.substr(i + 1, 2));
    if (!value) return std::nullopt;
    text += static_cast<char>(*value);
    i += 2;
  }
  return text;
}

/// Of "/v2/models": "v2", "models". Nothing where it does not begin with a slash; one at its end is none.
std::optional<std::vector<std::string>> segments_of(std::string_view target) {
  target = target.substr(0, target.find('?'));
  if (!target.starts_with('/')) return std::nullopt;
  if (target.size() > 1 && target.ends_with('/')) target.remove_suffix(1);
  std::vector<std::string> segments;
  while (!target.empty()) {
    target.remove_prefix(1);
    const std::string_view segment = target.substr(0, target.find('/'));
    auto text = decoded(segment);
    if (!text || text->empty()) return std::nullopt;
    segments.push_back(std::move(*text));
    target.remove_prefix(segment.size());
  }
  return segments;
}

RouteResult none(unsigned status, std::string sentence, std::string allow = {}) {
  return {std::nullopt, {status, std::move(sentence), std::move(allow)}};
}

std::optional<std::uint64_t> number_of(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// What is behind "/v2/models".
std::optional<Route> route_of_model(const std::vector<std::string>& segments) {
  if (segments.size() < 3) return std::nullopt;
  Route route{Ask::model, segments[2], std::nullopt};
  std::size_t next = 3;
  if (segments.size() >= 5 && segments[3] == "versions") {
    route.version = number_of(segments[4]);
    if (!route.version) return std::nullopt;
    next = 5;
  }
  if (next == segments.size()) return route;
  if (next + 1 < segments.size()) return std::nullopt;
  if (segments[next] == "ready") {
    route.ask = Ask::model_ready;
  } else if (segments[next] == "infer") {
    route.ask = Ask::infer;
  } else {
    return std::nullopt;
  }
  return route;
}

std::optional<Route> find_route(std::string_view target) {
  const auto segments = segments_of(target);
  if (segments == std::vector<std::string>{"metrics"}) return Route{Ask::metrics, {}, {}};
  if (!segments || segments->empty() || segments->front() != "v2") return std::nullopt;
  if (segments->size() == 1) return Route{};
  if (*segments == std::vector<std::string>{"v2", "health", "live"}) return Route{Ask::live, {}, {}};
  if (*segments == std::vector<std::string>{"v2", "health", "ready"}) return Route{Ask::ready, {}, {}};
  return (*segments)[1] == "models" ? route_of_model(*segments) : std::nullopt;
}

}  // namespace

RouteResult route_of(std::string_view method, std::string_view target) {
  std::optional<Route> route = find_route(target);
  if (!route) return none(404, std::string(what_there_is));
  const bool is_read = method == "GET" || method == "HEAD";
  if (route->ask == Ask::infer && method != "POST")
    return none(405, "predictions are asked for by POST", "POST");
  if (route->ask != Ask::infer && !is_read) return none(405, "this is read by GET", "GET, HEAD");
  return {std::move(route), {}};
}

}  // namespace fl::serving
