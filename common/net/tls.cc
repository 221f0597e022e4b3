#include "common/net/tls.h"

#include <cstring>

#include "common/base/error.h"
#include "common/net/openssl.h"
#include "common/net/resumption.h"
#include "protocol/limits.h"

namespace fl::net {
namespace {

using ContextPtr = std::shared_ptr<ssl_ctx_st>;

// What a peer may send as its chain: two certificates.
constexpr long longest_chain_bytes = static_cast<long>(2 * limits::certificate_bytes);

// AES-128 first: it is as safe here as AES-256, which takes longer.
constexpr const char* ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

// A name as ALPN carries it: its length, then its letters.
std::string alpn_entry(std::string_view name) {
  return static_cast<char>(name.size()) + std::string(name);
}

const unsigned char* as_unsigned(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

ContextPtr new_context(const SSL_METHOD* method) {
  ContextPtr context(SSL_CTX_new(method), SSL_CTX_free);
  SSL_CTX* const native = context.get();
  require(native != nullptr, "making a TLS context");
  require(SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_max_proto_version(native, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set1_groups_list(native, "X25519:P-256") == 1,
          "choosing TLS 1.3");
  require(SSL_CTX_set_ciphersuites(native, ciphers) == 1, "choosing ciphers");
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(native, 0);
  SSL_CTX_set_mode(
      native, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A record without data must come back to us, who look at the time and let others have their turn.
  SSL_CTX_clear_mode(native, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_max_cert_list(native, longest_chain_bytes);
  SSL_CTX_set_verify_depth(native, 1);
  return context;
}

void use(SSL_CTX* context, const Identity& identity) {
  if (X509_check_private_key(identity.certificate.native(), identity.key.native()) != 1) {
    ERR_clear_error();
    throw Error(ErrorCode::invalid_argument,
                "the private key is not the one of the certificate of " + identity.certificate.common_name());
  }
  require(SSL_CTX_use_certificate(context, identity.certificate.native()) == 1 &&
              SSL_CTX_use_PrivateKey(context, identity.key.native()) == 1,
          "using a certificate");
}

void believe(SSL_CTX* context, const Certificate& authority) {
  require(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.native()) == 1,
          "trusting an authority");
}

void ask_for(SSL_CTX* context, std::string_view alpn) {
  const std::string list = alpn_entry(alpn);
  require(SSL_CTX_set_alpn_protos(context, as_unsigned(list), static_cast<unsigned>(list.size())) == 0,
          "choosing a protocol");
}

// Refuses a stranger before any cryptography is spent on it: one that asks for no protocol at all does not
// even come to select_protocol().
int greet(SSL* ssl, int* alert, void* /*context*/) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  // A client of TLS 1.2 goes on, to be told that its version is what is wrong.
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &data, &size) != 1) {
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &size) == 1) {
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

// Whether a protocol is among those offered, and then it is chosen.
bool choose(std::string_view ours, const unsigned char** chosen, unsigned char* chosen_size,
            const unsigned char* offered, unsigned offered_size) {
  for (unsigned at = 0; at < offered_size; at += 1U + offered[at]) {
    if (offered[at] != ours.size() || offered_size - at - 1 < ours.size()) continue;
    if (std::memcmp(offered + at + 1, ours.data(), ours.size()) != 0) continue;
    *chosen = offered + at + 1;
    *chosen_size = offered[at];
    return true;
  }
  return false;
}

int select_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned offered_size, void* /*context*/) {
  if (choose(alpn_device, chosen, chosen_size, offered, offered_size)) {
    SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    return SSL_TLSEXT_ERR_OK;
  }
  if (!choose(alpn_enrolment, chosen, chosen_size, offered, offered_size)) return SSL_TLSEXT_ERR_ALERT_FATAL;
  SSL_set_num_tickets(ssl, 0);  // who enrols has nothing to be known by
  return SSL_TLSEXT_ERR_OK;
}

int select_http(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_size,
                const unsigned char* offered, unsigned offered_size, void* /*context*/) {
  return choose(alpn_http, chosen, chosen_size, offered, offered_size) ? SSL_TLSEXT_ERR_OK
                                                                       : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// The certificate in the chain that the peer sent with this fingerprint, or null.
X509* find_pinned(STACK_OF(X509) * chain, const Digest& fingerprint) {
  Digest found;
  auto* const bytes = reinterpret_cast<unsigned char*>(found.bytes.data());
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    X509* const candidate = sk_X509_value(chain, i);
    if (X509_digest(candidate, EVP_sha256(), bytes, nullptr) == 1 && found == fingerprint) return candidate;
  }
  return nullptr;
}

// Verifies as usual, for serverAuth and at this time, but with the pinned certificate as the only root.
int verify_pinned(X509_STORE_CTX* store, void* fingerprint) {
  X509* const root =
      find_pinned(X509_STORE_CTX_get0_untrusted(store), *static_cast<const Digest*>(fingerprint));
  STACK_OF(X509)* const roots = root == nullptr ? nullptr : sk_X509_new_null();
  if (roots == nullptr || sk_X509_push(roots, root) <= 0) {
    sk_X509_free(roots);
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
  X509_STORE_CTX_set0_trusted_stack(store, roots);
  const int verified = X509_verify_cert(store);
  sk_X509_free(roots);
  return verified > 0 ? 1 : 0;
}

}  // namespace

TlsContext TlsContext::for_server(const Identity& server, const Certificate& authority) {
  ContextPtr context = new_context(TLS_server_method());
  use(context.get(), server);
  believe(context.get(), authority);
  require(SSL_CTX_add1_chain_cert(context.get(), authority.native()) == 1,
          "adding the authority to the chain");
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_client_hello_cb(context.get(), greet, nullptr);
  SSL_CTX_set_alpn_select_cb(context.get(), select_protocol, nullptr);
  give_tickets(context.get());
  return {std::move(context), true, {}};
}

TlsContext TlsContext::for_http_server(const Identity& server, const Certificate& authority) {
  ContextPtr context = new_context(TLS_server_method());
  use(context.get(), server);
  require(SSL_CTX_add1_chain_cert(context.get(), authority.native()) == 1,
          "adding the authority to the chain");
  SSL_CTX_set_alpn_select_cb(context.get(), select_http, nullptr);
  return {std::move(context), true, alpn_http};
}

TlsContext TlsContext::for_device(const Identity& device, const Certificate& authority) {
  ContextPtr context = new_context(TLS_client_method());
  use(context.get(), device);
  believe(context.get(), authority);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  ask_for(context.get(), alpn_device);
  TlsContext made(std::move(context), false, alpn_device);
  made.newest_ = std::make_shared<NewestSession>(made.native());
  return made;
}

void TlsContext::show_ticket(ssl_st* connection) const {
  if (newest_) newest_->use(connection);
}

TlsContext TlsContext::for_enrolment(const Digest& authority_fingerprint) {
  ContextPtr context = new_context(TLS_client_method());
  const auto fingerprint = std::make_shared<Digest>(authority_fingerprint);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context.get(), verify_pinned, fingerprint.get());
  ask_for(context.get(), alpn_enrolment);
  // The fingerprint lives as long as the context: whoever uses native() holds a TlsContext too.
  SSL_CTX* const native = context.get();
  ContextPtr both(native, [context = std::move(context), fingerprint](ssl_ctx_st*) {});
  return {std::move(both), false, alpn_enrolment};
}

}  // namespace fl::net
