#include "common/net/tls_stream.h"

#include <system_error>

#include "common/net/tls_fault.h"

namespace fl::net {

TlsStream::TlsStream(const TlsContext& tls, int descriptor, std::string peer)
    : tls_(tls), peer_(std::move(peer)), ssl_(SSL_new(tls.native())) {
  require(ssl_ != nullptr, "beginning a TLS connection");
  io_.descriptor = descriptor;
  BIO* const bio = make_socket_bio(io_).release();
  SSL_set_bio(ssl_.get(), bio, bio);  // owns it once, for both directions
  if (tls.is_server()) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
    tls.show_ticket(ssl_.get());
  }
}

void TlsStream::begin_call() {
  if (fault_) throw *fault_;
  ERR_clear_error();
  io_.error = 0;
}

TlsStream::Result TlsStream::failed(const Error& error) {
  fault_ = error.within(peer_);
  throw *fault_;
}

TlsStream::Result TlsStream::outcome_of(int returned, std::size_t count) {
  if (returned > 0) return {Outcome::done, count};
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      return {Outcome::want_read};
    case SSL_ERROR_WANT_WRITE:
      return {Outcome::want_write};
    case SSL_ERROR_ZERO_RETURN:
      return {Outcome::closed};
    case SSL_ERROR_SYSCALL:
      if (io_.error == 0) return {Outcome::closed};
      return failed({ErrorCode::unavailable, std::generic_category().message(io_.error)});
    default:
      break;
  }
  // A peer that is killed says no goodbye; frames tell by themselves whether they are whole.
  if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return {Outcome::closed};
  return failed(tls_fault(ssl_.get()));
}

TlsStream::Result TlsStream::handshake() {
  begin_call();
  const Result result = outcome_of(SSL_do_handshake(ssl_.get()), 0);
  if (result.outcome == Outcome::closed) {
    return failed({ErrorCode::unavailable, "the peer closed during the TLS handshake"});
  }
  if (result.outcome == Outcome::done) finish_handshake();
  return result;
}

void TlsStream::finish_handshake() {
  shaken_ = true;
  if (tls_.is_server() && tls_.alpn() == alpn_http) return;
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  const std::string_view chosen(reinterpret_cast<const char*>(name), size);
  for (const std::string_view ours : {alpn_device, alpn_enrolment}) {
    if (chosen == ours) alpn_ = ours;
  }
  if (alpn_.empty() || (!tls_.is_server() && alpn_ != tls_.alpn())) {
    failed({ErrorCode::unauthenticated, "the peer speaks neither fl/1 nor fl-enroll/1 (ALPN)"});
  }
  if (alpn_ == alpn_device && !peer_certificate()) {
    failed({ErrorCode::unauthenticated, "the peer shows no certificate on fl/1"});
  }
}

TlsStream::Result TlsStream::read(std::span<std::byte> space) {
  begin_call();
  std::size_t count = 0;
  const int returned = SSL_read_ex(ssl_.get(), space.data(), space.size(), &count);
  return outcome_of(returned, count);
}

TlsStream::Result TlsStream::write(ByteView bytes) {
  begin_call();
  std::size_t count = 0;
  const int returned = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count);
  if (returned <= 0 && SSL_get_error(ssl_.get(), returned) == SSL_ERROR_SYSCALL) write_failed();
  const Result result = outcome_of(returned, count);
  record_waits_ = result.outcome != Outcome::done;
  return result;
}

// What the peer said before it closed can still be read.
void TlsStream::write_failed() {
  record_waits_ = true;
  const std::string reason = std::generic_category().message(io_.error);
  if (const std::optional<Error> alert = alert_in_store()) failed(*alert);
  throw Error(ErrorCode::unavailable, peer_ + ": " + reason);
}

// A server that refuses a certificate sends an alert and closes; where the device writes before it reads, it
// finds the connection reset, and the reason still to be read.
std::optional<Error> TlsStream::alert_in_store() {
  ERR_clear_error();
  std::byte ignored{};
  std::size_t count = 0;
  const int returned = SSL_peek_ex(ssl_.get(), &ignored, 1, &count);
  if (returned > 0 || SSL_get_error(ssl_.get(), returned) != SSL_ERROR_SSL) return std::nullopt;
  if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return std::nullopt;
  return tls_fault(ssl_.get());
}

void TlsStream::goodbye() {
  if (!shaken_ || fault_ || record_waits_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

std::optional<Certificate> TlsStream::peer_certificate() const {
  X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return std::nullopt;
  return Certificate::share(certificate);
}

bool TlsStream::resumed() const {
  return SSL_session_reused(ssl_.get()) == 1;
}

std::optional<Certificate> TlsStream::peer_authority() const {
  STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl_.get());
  const int size = chain == nullptr ? 0 : sk_X509_num(chain);
  if (size == 0 || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return std::nullopt;
  return Certificate::share(sk_X509_value(chain, size - 1));
}

}  // namespace fl::net
