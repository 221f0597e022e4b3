#pragma once

#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/net/certificates.h"
#include "server/ledger/ledger.h"

namespace fl::server {

/// Gives devices their certificates and says whose are still good. Refers to the ledger and the clock, which
/// outlive it; owns the authority's key. One thread.
class CertificateOffice {
 public:
  CertificateOffice(Ledger& ledger, const Clock& clock, net::Identity authority, std::chrono::hours lifetime)
      : ledger_(ledger), clock_(clock), authority_(std::move(authority)), lifetime_(lifetime) {}

  /// What a new device gets, or why it gets nothing.
  struct Enrolment {
    TokenOutcome outcome = TokenOutcome::unknown;
    std::string device;
    Bytes certificate;
  };

  /// Uses a token up for a certificate. Throws Error(invalid_data) where the request is none; the token is
  /// then still good.
  Enrolment enrol(ByteView token, ByteView request, const std::string& name);

  /// A fresh certificate for an enrolled device. Throws Error(invalid_data) as above.
  Bytes renew(const std::string& device, ByteView request);

  /// Why a device that has connected is not let in; nothing where it is. Notes when it was seen, to the hour.
  std::optional<std::string> admit(const std::string& device);

 private:
  Ledger& ledger_;
  const Clock& clock_;
  net::Identity authority_;
  std::chrono::hours lifetime_;
};

}  // namespace fl::server
