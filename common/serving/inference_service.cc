#include "common/serving/inference_service.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/model/scores.h"
#include "common/serving/error_response.h"
#include "common/serving/infer_response.h"
#include "common/serving/metadata.h"
#include "common/serving/present_error.h"

namespace fl::serving {

using net::HttpRequest;
using net::HttpResponse;

namespace {

constexpr const char* json_type = "application/json";
constexpr const char* binary_type = "application/octet-stream";
constexpr const char* json_length_field = "Inference-Header-Content-Length";

HttpResponse json_response(unsigned status, const std::string& body) {
  return net::text_response(status, json_type, body);
}

unsigned status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return 400;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::resource_exhausted:
      return 413;
    case ErrorCode::failed_precondition:
      return 501;
    case ErrorCode::unavailable:
    case ErrorCode::timeout:
      return 503;
    default:
      return 500;
  }
}

Outcome outcome_of(ErrorCode code) {
  switch (status_of(code)) {
    case 400:
    case 413:
    case 501:
      return Outcome::refused;
    case 503:
      return code == ErrorCode::timeout ? Outcome::late : Outcome::failed;
    default:
      return Outcome::failed;
  }
}

HttpResponse response_of(const Error& error) {
  return error_response(status_of(error.code()), error.what());
}

/// Of a request whose body has no length yet.
bool announces_body(const HttpRequest& head) {
  const auto length = head.field("Content-Length");
  return head.field("Transfer-Encoding") || (length && *length != "0");
}

/// How much of the body is JSON, where the request says so.
std::optional<std::size_t> json_length_of(const HttpRequest& request) {
  const auto field = request.field(json_length_field);
  if (!field) return std::nullopt;
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(field->data(), field->data() + field->size(), length);
  if (error != std::errc() || end != field->data() + field->size() || request.repeats(json_length_field)) {
    throw Error(ErrorCode::invalid_argument,
                std::string(json_length_field) + " must be the number of bytes of the body's JSON");
  }
  return length;
}

/// What of a request is left once its inputs are under way.
struct Asked {
  std::shared_ptr<ServedVersion> version;
  std::string id;
  std::vector<RequestedOutput> outputs;
  Stopwatch watch;
};

ResponseOutput output_of(const ServedOutput& output, std::size_t place, const std::vector<Tensor>& given,
                         const Scores& scores, const TaskContract& contract) {
  if (output.kind == ServedOutput::Kind::given) {
    const std::span<const float> values = given.at(place).floats();
    return {output.name, given.at(place).shape, std::vector<float>(values.begin(), values.end())};
  }
  const auto examples = static_cast<std::int64_t>(scores.examples);
  if (output.kind == ServedOutput::Kind::label) {
    std::vector<std::string> labels;
    for (std::size_t i = 0; i < scores.examples; ++i) labels.emplace_back(likeliest(scores.of(i), contract));
    return {output.name, {examples}, std::move(labels)};
  }
  Shape shape = given.front().shape;
  const bool is_doubled = scores.values.size() != element_count(shape);
  if (is_doubled) shape = {examples, 2};
  return {output.name, std::move(shape), scores.values};
}

HttpResponse response_to(const Asked& asked, const std::vector<Tensor>& given, const std::string& route) {
  const ModelIdentity& model = asked.version->model();
  const std::vector<ServedOutput>& outputs = asked.version->outputs();
  InferResponse response{model.name,
                         std::to_string(model.version),
                         asked.id,
                         {{"lineage", model.lineage}, {"route", route}},
                         {}};
  const bool asks_for_scores = std::any_of(
      asked.outputs.begin(), asked.outputs.end(),
      [&](const RequestedOutput& each) { return outputs[each.index].kind != ServedOutput::Kind::given; });
  const Scores scores = asks_for_scores ? scores_of(given.front(), model.contract) : Scores();
  for (const RequestedOutput& each : asked.outputs) {
    response.outputs.push_back(output_of(outputs[each.index], each.index, given, scores, model.contract));
    response.outputs.back().binary = each.binary;
  }
  EncodedResponse encoded = encode_response(response);
  HttpResponse answer{200, encoded.json_length ? binary_type : json_type, {}, std::move(encoded.body)};
  if (encoded.json_length)
    answer.fields.emplace_back(json_length_field, std::to_string(*encoded.json_length));
  return answer;
}

HttpResponse response_to(const Asked& asked, const Batcher::Answer& answer, const std::string& route) {
  VersionMetrics& metrics = asked.version->metrics();
  try {
    if (const Error* const error = std::get_if<Error>(&answer)) throw Error(*error);
    HttpResponse response = response_to(asked, std::get<std::vector<Tensor>>(answer), route);
    metrics.ended(Outcome::answered, asked.watch.passed());
    return response;
  } catch (...) {
    const Error error = present_error();
    metrics.ended(outcome_of(error.code()), asked.watch.passed());
    return response_of(error);
  }
}

}  // namespace

InferenceService::InferenceService(const Repository& repository, ServingMetrics& metrics,
                                   std::unique_ptr<Doorkeeper> doorkeeper, Settings settings)
    : repository_(repository),
      metrics_(metrics),
      doorkeeper_(std::move(doorkeeper)),
      settings_(std::move(settings)) {}

std::optional<HttpResponse> InferenceService::refusal(const HttpRequest& head) {
  const RouteResult route = route_of(head.method, head.target);
  if (std::optional<HttpResponse> refused = doorkeeper_->refusal(head, route)) {
    if (refused->status >= 400) metrics_.turned_away(std::to_string(refused->status));
    return with_fields(*std::move(refused), head);
  }
  if (!route.route) {
    HttpResponse refused = fault(route.none.status, route.none.sentence, head);
    if (!route.none.allow.empty()) refused.fields.emplace_back("Allow", route.none.allow);
    return refused;
  }
  const Ask ask = route.route->ask;
  if (ask == Ask::metrics && !settings_.shows_metrics) return fault(404, "metrics are not shown here", head);
  if (ask != Ask::infer && announces_body(head)) return fault(400, "this request takes no body", head);
  const auto encoding = head.field("Content-Encoding");
  if (ask == Ask::infer && encoding && *encoding != "identity")
    return fault(415, "send the body as it is, without Content-Encoding", head);
  return std::nullopt;
}

HttpResponse InferenceService::fault(unsigned status, const std::string& sentence, const HttpRequest& head) {
  metrics_.turned_away(std::to_string(status));
  return with_fields(error_response(status, sentence), head);
}

HttpResponse InferenceService::with_fields(HttpResponse response, const HttpRequest& head) const {
  for (auto& field : doorkeeper_->fields(head)) response.fields.push_back(std::move(field));
  return response;
}

void InferenceService::answer(HttpRequest request, OnAnswer on_answer) {
  const OnAnswer answered = [fields = doorkeeper_->fields(request),
                             on_answer = std::move(on_answer)](HttpResponse response) {
    response.fields.insert(response.fields.end(), fields.begin(), fields.end());
    on_answer(std::move(response));
  };
  try {
    const Route route = route_of(request.method, request.target).route.value();
    if (route.ask == Ask::infer) {
      infer(request, route, answered);
    } else {
      answered(told(route));
    }
  } catch (...) {
    const Error error = present_error();
    metrics_.turned_away(std::to_string(status_of(error.code())));
    answered(response_of(error));
  }
}

HttpResponse InferenceService::told(const Route& route) const {
  switch (route.ask) {
    case Ask::server:
      return json_response(200, server_metadata(settings_.server_name, settings_.server_version));
    case Ask::live:
      return json_response(200, R"({"live":true})");
    case Ask::ready: {
      const bool ready = repository_.ready();
      return json_response(ready ? 200 : 503, ready ? R"({"ready":true})" : R"({"ready":false})");
    }
    case Ask::model:
      return json_response(200, model_metadata(*repository_.find(route.model, route.version)));
    case Ask::model_ready:
      try {
        (void)repository_.find(route.model, route.version);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::unavailable) throw;
        return json_response(503, model_ready(route.model, false));
      }
      return json_response(200, model_ready(route.model, true));
    case Ask::metrics:
      return net::text_response(200, "text/plain; version=0.0.4; charset=utf-8", metrics_.text());
    case Ask::infer:
      break;
  }
  throw Error(ErrorCode::internal, "a prediction is no metadata");
}

void InferenceService::infer(const HttpRequest& request, const Route& route,
                             const OnAnswer& on_answer) const {
  Asked asked{repository_.find(route.model, route.version, Repository::Missing::open), {}, {}, {}};
  const std::shared_ptr<ServedVersion> version = asked.version;
  const auto refuse = [&](Outcome outcome, const Error& error) {
    version->metrics().ended(outcome, asked.watch.passed());
    on_answer(response_of(error));
  };
  InferRequest decoded;
  try {
    decoded = decode_request(request.body, json_length_of(request), version->model().contract,
                             version->output_names(), settings_.limits);
  } catch (const Error& error) {
    return refuse(outcome_of(error.code()), error);
  }
  const auto begun = asked.watch;
  asked.id = std::move(decoded.id);
  asked.outputs = std::move(decoded.outputs);
  const std::chrono::microseconds time =
      std::min<std::chrono::microseconds>(decoded.timeout.value_or(settings_.time), settings_.time);
  const auto admission = version->batcher().submit(
      std::move(decoded.inputs), BatchQueue::Clock::now() + time,
      [asked = std::move(asked), on_answer, route = settings_.route](const Batcher::Answer& answer) {
        on_answer(response_to(asked, answer, route));
      });
  if (admission == BatchQueue::Admission::waits) return;
  const bool is_full = admission == BatchQueue::Admission::full;
  version->metrics().ended(is_full ? Outcome::busy : Outcome::late, begun.passed());
  on_answer(response_of(
      {ErrorCode::unavailable, is_full ? "too many requests wait; ask again later"
                                       : "the answer would come too late: " + version->model().name +
                                             " has more to do than it could by then"}));
}

}  // namespace fl::serving
