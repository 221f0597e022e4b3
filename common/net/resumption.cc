#include "common/net/resumption.h"

#include <array>
#include <utility>

#include "protocol/limits.h"

namespace fl::net {
namespace {

// Whether the certificate that the other side showed in its whole handshake holds still: OpenSSL asks that
// only there.
bool is_in_time(SSL_SESSION* session) {
  const X509* const peer = SSL_SESSION_get0_peer(session);
  return peer != nullptr && X509_cmp_current_time(X509_get0_notAfter(peer)) > 0;
}

SSL_TICKET_RETURN judge_ticket(SSL* /*connection*/, SSL_SESSION* session, const unsigned char* /*key_name*/,
                               std::size_t /*key_name_size*/, SSL_TICKET_STATUS status, void* /*context*/) {
  const bool readable = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
  return readable && is_in_time(session) ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_IGNORE_RENEW;
}

}  // namespace

void give_tickets(SSL_CTX* server) {
  constexpr std::array<unsigned char, 4> name{'f', 'l', '/', '1'};
  require(SSL_CTX_set_session_id_context(server, name.data(), name.size()) == 1 &&
              SSL_CTX_set_session_ticket_cb(server, nullptr, judge_ticket, nullptr) == 1,
          "preparing tickets");
  SSL_CTX_set_timeout(server, static_cast<long>(std::chrono::seconds(limits::ticket_time).count()));
  SSL_CTX_set_num_tickets(server, 1);
}

NewestSession::NewestSession(SSL_CTX* device) {
  SSL_CTX_set_app_data(device, this);
  SSL_CTX_set_session_cache_mode(device, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(device, keep);
}

// 1: the session is ours now.
int NewestSession::keep(SSL* connection, SSL_SESSION* session) {
  auto& self = *static_cast<NewestSession*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection)));
  SessionPtr newest(session);
  const std::lock_guard lock(self.mutex_);
  self.session_ = std::move(newest);
  return 1;
}

void NewestSession::use(SSL* connection) {
  SessionPtr session;
  {
    const std::lock_guard lock(mutex_);
    session = std::move(session_);
  }
  if (session == nullptr || !is_in_time(session.get())) return;
  require(SSL_set_session(connection, session.get()) == 1, "coming back to a server");
}

}  // namespace fl::net
