#include "common/net/tls_fault.h"

#include "common/net/openssl.h"

namespace fl::net {
namespace {

Error refused(const std::string& sentence) {
  return {ErrorCode::unauthenticated, sentence};
}

// The sentence for an alert by which the peer says that it does not want us; null for other alerts.
const char* refusal_of(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_DECRYPT_ERROR:
      return "the peer refused our certificate as not valid";
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
      return "the peer refused our certificate: it is not for this use";
    case SSL_AD_CERTIFICATE_REVOKED:
      return "the peer refused our certificate: it is revoked";
    case SSL_AD_CERTIFICATE_EXPIRED:
      return "the peer refused our certificate: it has expired";
    case SSL_AD_UNKNOWN_CA:
      return "the peer refused our certificate: it was issued by another authority";
    case SSL_AD_ACCESS_DENIED:
      return "the peer refused us: access denied";
    case SSL_AD_CERTIFICATE_REQUIRED:
      return "the peer wants a certificate and we showed none";
    case SSL_AD_PROTOCOL_VERSION:
      return "the peer does not speak TLS 1.3";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return "the peer does not speak the protocol we asked for (fl/1 or fl-enroll/1)";
    case SSL_AD_HANDSHAKE_FAILURE:
      return "the peer refused the TLS handshake";
    default:
      return nullptr;
  }
}

Error alert_fault(int alert) {
  if (const char* sentence = refusal_of(alert)) return refused(sentence);
  if (alert == SSL_AD_INTERNAL_ERROR) {
    return {ErrorCode::unavailable, "the peer cannot serve us now; try again later"};
  }
  return {ErrorCode::protocol,
          std::string("the peer broke off with the TLS alert \"") + SSL_alert_desc_string_long(alert) + "\""};
}

// Whose certificate it is, as the sentence needs it.
Error certificate_fault(const SSL* ssl) {
  const bool server = SSL_is_server(ssl) == 1;
  const std::string whose = server ? "the peer's certificate " : "the server's certificate ";
  const long result = SSL_get_verify_result(ssl);
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return refused(whose + "has expired");
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return refused(whose + "is not valid yet; check both sides' clocks");
    case X509_V_ERR_INVALID_PURPOSE:
      return refused(
          whose + (server ? "is not one for devices (clientAuth)" : "is not one for servers (serverAuth)"));
    case X509_V_ERR_APPLICATION_VERIFICATION:
      return refused(
          "no certificate of the server has the fingerprint in the enrolment token: this is another server");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return refused(whose + (server ? "was not issued by this server's authority"
                                     : "is not issued by the pinned authority"));
    default:
      return refused(whose + "does not verify: " + X509_verify_cert_error_string(result));
  }
}

// What the reasons mean that a peer's first bytes lead to, and a few more; null for the rest.
const char* sentence_of(int reason) {
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return "the peer does not speak TLS: it sent plain HTTP";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_RECORD_TYPE:
      return "the peer does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
      return "the peer offers no TLS 1.3; older versions are not spoken here";
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_CALLBACK_FAILED:
    case SSL_R_CLIENTHELLO_TLSEXT:
      return "the peer asks for none of the protocols fl/1 and fl-enroll/1 (ALPN)";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "the peer shows no certificate; on fl/1 a device shows the one it got at enrolment";
    default:
      return nullptr;
  }
}

// The first error of the TLS library in the queue; what follows it is how it was passed on.
unsigned long first_error() {
  unsigned long code = ERR_get_error();
  while (code != 0 && ERR_GET_LIB(code) != ERR_LIB_SSL) code = ERR_get_error();
  return code;
}

}  // namespace

Error tls_fault(const ssl_st* ssl) {
  const unsigned long code = first_error();
  ERR_clear_error();
  const int reason = ERR_GET_REASON(code);
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) return certificate_fault(ssl);
  // OpenSSL numbers the alerts that it is sent from here on.
  if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
    return alert_fault(reason - SSL_AD_REASON_OFFSET);
  }
  if (const char* sentence = sentence_of(reason)) return refused(sentence);
  const char* text = ERR_reason_error_string(code);
  return {ErrorCode::protocol,
          std::string("the peer broke TLS: ") + (text == nullptr ? "no reason known" : text)};
}

}  // namespace fl::net
