#include "server/fleet/enrolment.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
#include "common/net/endpoint.h"
#include "protocol/limits.h"
#include "server/fleet/messages.h"

namespace fl::server {

namespace asio = boost::asio;

namespace {

const char* sentence(TokenOutcome outcome) {
  switch (outcome) {
    case TokenOutcome::accepted:
      return "the token is accepted";
    case TokenOutcome::unknown:
      return "the token is not known here; ask the operator for another";
    case TokenOutcome::expired:
      return "the token has expired; ask the operator for another";
    case TokenOutcome::used:
      return "the token has been used; each device needs one of its own";
  }
  return "the token is not accepted";
}

/// What a device calls itself, without characters that could disturb a table or a log.
std::string printable(std::string_view name) {
  std::string text(name.substr(0, limits::name_bytes));
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

/// Of a token, as the metrics name it.
const char* reason(TokenOutcome outcome) {
  switch (outcome) {
    case TokenOutcome::accepted:
      return "none";
    case TokenOutcome::unknown:
      return "token_unknown";
    case TokenOutcome::expired:
      return "token_expired";
    case TokenOutcome::used:
      return "token_used";
  }
  return "token";
}

/// One enrolment, and whom to tell of it.
struct Enrolment {
  const net::Connection& connection;
  CertificateOffice& certificates;
  Refusals& refusals;
  Metrics& metrics;
  spdlog::logger& log;

  MessageBuffer refuse(wire::RefusalCode code, std::string_view why, const std::string& sentence) const {
    const std::string& address = connection.peer_address();
    refusals.note(Stage::enrolment, why, net::Endpoint::parse(address).host,
                  fmt::format("address={}: enrolment refused: {}", address, sentence));
    return refusal_message(code, sentence, true);
  }

  MessageBuffer answer(const wire::EnrolRequest& request, const PublicKey& signing_key) const {
    const ByteView token = wire::bytes_of(request.token());
    const ByteView certificate_request = wire::bytes_of(request.certificate_request());
    if (token.size() > limits::token_bytes || certificate_request.size() > limits::certificate_bytes) {
      return refuse(wire::RefusalCode::too_large, "too_large",
                    "the token or the certificate request is too long");
    }
    try {
      const auto enrolled =
          certificates.enrol(token, certificate_request, printable(wire::text_of(request.name())));
      if (enrolled.outcome != TokenOutcome::accepted) {
        return refuse(wire::RefusalCode::token, reason(enrolled.outcome), sentence(enrolled.outcome));
      }
      metrics.device_enrolled();
      log.info(fmt::format("device={} address={}: enrolled", enrolled.device, connection.peer_address()));
      return enrolled_message(enrolled.device, enrolled.certificate, signing_key.bytes);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::invalid_data) {
        return refuse(wire::RefusalCode::malformed, "malformed", error.what());
      }
      log.error(fmt::format("address={}: enrolment failed: {}", connection.peer_address(), error.what()));
      return refuse(wire::RefusalCode::internal, "internal",
                    "the server could not enrol the device; try again later");
    }
  }
};

}  // namespace

asio::awaitable<void> enrol_device(net::Connection& connection, CertificateOffice& certificates,
                                   PublicKey signing_key, Refusals& refusals, Metrics& metrics,
                                   std::shared_ptr<spdlog::logger> log) {
  connection.set_limits(2 * limits::certificate_bytes, 0);
  const wire::Message* message = co_await connection.read_message(limits::hello_time);
  const wire::EnrolRequest* request = message->body_as_EnrolRequest();
  const Enrolment enrolment{connection, certificates, refusals, metrics, *log};
  MessageBuffer reply = request == nullptr ? enrolment.refuse(wire::RefusalCode::unexpected, "unexpected",
                                                              "an enrolment begins with EnrolRequest")
                                           : enrolment.answer(*request, signing_key);
  co_await connection.write_message(std::move(reply), limits::frame_time);
}

}  // namespace fl::server
