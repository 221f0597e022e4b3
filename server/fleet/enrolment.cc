#include "server/fleet/enrolment.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "common/base/error.h"
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

MessageBuffer answer(const wire::EnrolRequest& request, CertificateOffice& certificates,
                     const PublicKey& signing_key, const net::Connection& connection, spdlog::logger& log) {
  const ByteView token = wire::bytes_of(request.token());
  const ByteView certificate_request = wire::bytes_of(request.certificate_request());
  if (token.size() > limits::token_bytes || certificate_request.size() > limits::certificate_bytes) {
    return refusal_message(wire::RefusalCode::too_large, "the token or the certificate request is too long",
                           true);
  }
  try {
    const auto enrolment =
        certificates.enrol(token, certificate_request, printable(wire::text_of(request.name())));
    if (enrolment.outcome != TokenOutcome::accepted) {
      log.warn(fmt::format("enrolment from {} refused: {}", connection.peer_address(),
                           sentence(enrolment.outcome)));
      return refusal_message(wire::RefusalCode::token, sentence(enrolment.outcome), true);
    }
    log.info(fmt::format("device {} enrolled from {}", enrolment.device, connection.peer_address()));
    return enrolled_message(enrolment.device, enrolment.certificate, signing_key.bytes);
  } catch (const Error& error) {
    log.warn(fmt::format("enrolment from {} failed: {}", connection.peer_address(), error.what()));
    const bool theirs = error.code() == ErrorCode::invalid_data;
    return refusal_message(theirs ? wire::RefusalCode::malformed : wire::RefusalCode::internal,
                           theirs ? error.what() : "the server could not enrol the device; try again later",
                           true);
  }
}

}  // namespace

asio::awaitable<void> enrol_device(net::Connection& connection, CertificateOffice& certificates,
                                   PublicKey signing_key, std::shared_ptr<spdlog::logger> log) {
  connection.set_limits(2 * limits::certificate_bytes, 0);
  const wire::Message* message = co_await connection.read_message(limits::hello_time);
  const wire::EnrolRequest* request = message->body_as_EnrolRequest();
  MessageBuffer reply = request == nullptr ? refusal_message(wire::RefusalCode::unexpected,
                                                             "an enrolment begins with EnrolRequest", true)
                                           : answer(*request, certificates, signing_key, connection, *log);
  co_await connection.write_message(std::move(reply), limits::frame_time);
}

}  // namespace fl::server
