#pragma once

#include <memory>
#include <string_view>

#include "common/base/digest.h"
#include "common/net/certificates.h"

struct ssl_ctx_st;

namespace fl::net {

inline constexpr std::string_view alpn_device = "fl/1";
inline constexpr std::string_view alpn_enrolment = "fl-enroll/1";

/// How one side of TLS proves itself and whom it believes. TLS 1.3 only. Immutable; a cheap value; any
/// thread.
class TlsContext {
 public:
  /// The server: shows `server` with the authority's certificate in the chain, speaks fl/1 and fl-enroll/1
  /// and no connection without one of them. A client certificate is asked for; one that is shown must be the
  /// authority's, for clientAuth and in its time, or the handshake fails. On fl/1 the caller must refuse a
  /// connection without one (Connection::accept does).
  static TlsContext for_server(const Identity& server, const Certificate& authority);

  /// A device on fl/1: shows its certificate, and believes only a server certificate (serverAuth) issued by
  /// `authority`.
  static TlsContext for_device(const Identity& device, const Certificate& authority);

  /// A device on fl-enroll/1: has no certificate yet, and believes only a server whose chain holds the
  /// authority with this fingerprint.
  static TlsContext for_enrolment(const Digest& authority_fingerprint);

  ssl_ctx_st* native() const { return context_.get(); }
  bool is_server() const { return is_server_; }
  /// The protocol a client asks for; empty for a server.
  std::string_view alpn() const { return alpn_; }

 private:
  TlsContext(std::shared_ptr<ssl_ctx_st> context, bool is_server, std::string_view alpn)
      : context_(std::move(context)), is_server_(is_server), alpn_(alpn) {}

  std::shared_ptr<ssl_ctx_st> context_;
  bool is_server_;
  std::string_view alpn_;
};

}  // namespace fl::net
