#pragma once

#include <memory>
#include <string_view>

#include "common/base/digest.h"
#include "common/net/certificates.h"

struct ssl_ctx_st;
struct ssl_st;

namespace fl::net {

inline constexpr std::string_view alpn_device = "fl/1";
inline constexpr std::string_view alpn_enrolment = "fl-enroll/1";
inline constexpr std::string_view alpn_http = "http/1.1";

class NewestSession;

/// How one side of TLS proves itself and whom it believes. TLS 1.3 only. A cheap value; any thread.
///
/// A device that comes back to a server with the same context, or a copy of it, is known there by a ticket:
/// the handshake is a short one, without certificates and their signatures, and with a key exchange of its
/// own. A ticket is good once, for limits::ticket_time, as long as neither side's certificate has ended, and
/// only for the context of the server that gave it: in every other case the handshake is a whole one.
class TlsContext {
 public:
  /// The server: shows `server` with the authority's certificate in the chain, speaks fl/1 and fl-enroll/1
  /// and no connection without one of them. A client certificate is asked for; one that is shown must be the
  /// authority's, for clientAuth and in its time, or the handshake fails. On fl/1 the caller must refuse a
  /// connection without one (Connection::accept does). Who comes back by a ticket has the certificate that it
  /// showed when it was given it; whether that is revoked is for the caller to see, as ever.
  static TlsContext for_server(const Identity& server, const Certificate& authority);

  /// A server of HTTP/1.1: shows `server` with the authority's certificate in the chain and asks for none. A
  /// client that offers protocols must have HTTP/1.1 among them.
  static TlsContext for_http_server(const Identity& server, const Certificate& authority);

  /// A device on fl/1: shows its certificate, and believes only a server certificate (serverAuth) issued by
  /// `authority`.
  static TlsContext for_device(const Identity& device, const Certificate& authority);

  /// A device on fl-enroll/1: has no certificate yet, and believes only a server whose chain holds the
  /// authority with this fingerprint.
  static TlsContext for_enrolment(const Digest& authority_fingerprint);

  ssl_ctx_st* native() const { return context_.get(); }
  bool is_server() const { return is_server_; }
  /// The protocol a client asks for, and a server of HTTP speaks; empty for a server of devices.
  std::string_view alpn() const { return alpn_; }
  /// Has a device's connection, whose handshake has not begun, show its newest ticket, if it has one.
  void show_ticket(ssl_st* connection) const;

 private:
  TlsContext(std::shared_ptr<ssl_ctx_st> context, bool is_server, std::string_view alpn)
      : context_(std::move(context)), is_server_(is_server), alpn_(alpn) {}

  std::shared_ptr<NewestSession> newest_;  // a device's; outlives the context
  std::shared_ptr<ssl_ctx_st> context_;
  bool is_server_;
  std::string_view alpn_;
};

}  // namespace fl::net
