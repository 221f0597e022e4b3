#pragma once

#include <mutex>

#include "common/net/openssl.h"

/// Private to common/net: handshakes of those who know each other from before (resumption, RFC 8446 section
/// 2.2), always with a key exchange of their own and never with early data.
namespace fl::net {

/// Has a server give each device that has shown its certificate one ticket, which holds all that the server
/// wants to know when it comes back: the server keeps nothing. Tickets are encrypted with a key that lives as
/// long as the context. One whose certificate has ended meanwhile is passed over.
void give_tickets(SSL_CTX* server);

/// The newest session that servers have given the connections of a device's context. Any thread.
class NewestSession {
 public:
  /// Outlives the context and its connections.
  explicit NewestSession(SSL_CTX* device);
  NewestSession(const NewestSession&) = delete;
  NewestSession& operator=(const NewestSession&) = delete;
  ~NewestSession() = default;

  /// Has a connection of the context, before its handshake, begin with the session. It is used up, so that
  /// nobody who listens sees the same ticket twice; nothing where there is none, or a certificate has ended.
  void use(SSL* connection);

 private:
  static int keep(SSL* connection, SSL_SESSION* session);

  std::mutex mutex_;
  SessionPtr session_;
};

}  // namespace fl::net
