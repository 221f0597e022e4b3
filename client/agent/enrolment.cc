#include "client/agent/enrolment.h"

#include <exception>
#include <memory>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "client/agent/messages.h"
#include "common/base/error.h"
#include "common/net/connection.h"
#include "common/net/enrolment_token.h"
#include "protocol/limits.h"

namespace fl::client {
namespace {

namespace asio = boost::asio;

/// What the server gives to a new device.
struct Admission {
  std::string device;
  net::Certificate certificate;
  net::Certificate authority;
  PublicKey signing_key;
};

Admission admission_from(const wire::EnrolReply& reply, const net::Certificate& authority) {
  Admission admission{.device = std::string(wire::text_of(reply.device_id())),
                      .certificate = net::Certificate::from_der(wire::bytes_of(reply.certificate())),
                      .authority = authority,
                      .signing_key = PublicKey::from_bytes(wire::bytes_of(reply.signing_key()))};
  if (admission.device.empty() || admission.certificate.common_name() != admission.device) {
    throw Error(ErrorCode::protocol,
                "the server's certificate for this device does not hold the device's id");
  }
  return admission;
}

asio::awaitable<std::optional<Admission>> ask_admission(const net::EnrolmentToken& token,
                                                        const net::PrivateKey& key, const std::string& name) {
  const net::TlsContext tls = net::TlsContext::for_enrolment(token.authority_fingerprint);
  const auto connection = co_await net::Connection::connect(token.server, tls, limits::handshake_time);
  connection->set_limits(limits::message_bytes, 0);
  const Bytes request = net::make_request(key);
  co_await connection->write_message(enrol_message(token.secret, request, name), limits::frame_time);
  const wire::Message* message = co_await connection->read_message(limits::reply_time);
  if (const auto* refusal = message->body_as_Refusal()) throw error_from(*refusal);
  const auto* reply = message->body_as_EnrolReply();
  if (reply == nullptr) throw Error(ErrorCode::protocol, "the server does not answer with EnrolReply");
  const std::optional<net::Certificate> authority = connection->peer_authority();
  if (!authority || authority->fingerprint() != token.authority_fingerprint) {
    throw Error(ErrorCode::unauthenticated, "the server does not show the CA that the token names");
  }
  Admission admission = admission_from(*reply, *authority);
  net::require_usable({admission.certificate, key}, *authority, SystemClock().now());
  connection->close();
  co_return admission;
}

/// Runs one coroutine to its end on a context of its own.
Admission ask_and_wait(const net::EnrolmentToken& token, const net::PrivateKey& key,
                       const std::string& name) {
  asio::io_context context(1);
  std::optional<Admission> admission;
  std::exception_ptr failure;
  asio::co_spawn(context, ask_admission(token, key, name),
                 [&](std::exception_ptr error, std::optional<Admission> answer) {
                   failure = std::move(error);
                   admission = std::move(answer);
                 });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return std::move(admission).value();
}

}  // namespace

DeviceHome enrol(const std::filesystem::path& folder, std::string_view token_text, const std::string& name) {
  if (name.size() > limits::name_bytes) {
    throw Error(ErrorCode::invalid_argument, "a device's name has at most " +
                                                 std::to_string(limits::name_bytes) +
                                                 " bytes, this one has " + std::to_string(name.size()));
  }
  const net::EnrolmentToken token = net::EnrolmentToken::parse(token_text);
  HomeDraft draft(folder);
  const Admission admission = ask_and_wait(token, draft.key(), name);
  return draft.finish({admission.device, name, token.server, admission.signing_key}, admission.certificate,
                      admission.authority);
}

}  // namespace fl::client
