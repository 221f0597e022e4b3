#pragma once

#include <optional>

#include "client/home/device_home.h"
#include "common/base/digest.h"
#include "common/net/tls.h"

namespace fl::client {

/// What this device proves itself with, from connection to connection: its certificate, and in memory the
/// newest ticket of the server's, by which coming back is cheap. Refers to the home, which outlives it. One
/// thread.
class Credentials {
 public:
  explicit Credentials(const DeviceHome& home) : home_(home) {}

  /// What to connect with: after a renewal the new certificate, without a ticket. Throws Error as
  /// DeviceHome::identity() does. Valid until the next call.
  const net::TlsContext& tls();
  /// When the certificate that tls() gave should be renewed.
  Timestamp renew_at() const { return renew_at_; }

 private:
  const DeviceHome& home_;
  std::optional<net::TlsContext> tls_;
  Digest certificate_;  // fingerprint
  Timestamp renew_at_{};
};

}  // namespace fl::client
