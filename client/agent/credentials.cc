#include "client/agent/credentials.h"

#include "common/net/certificates.h"

namespace fl::client {

const net::TlsContext& Credentials::tls() {
  const net::Identity identity = home_.identity();
  const Digest certificate = identity.certificate.fingerprint();
  if (!tls_ || certificate != certificate_) {
    tls_ = net::TlsContext::for_device(identity, home_.authority());
    certificate_ = certificate;
    renew_at_ = net::renewal_time(identity.certificate);
  }
  return *tls_;
}

}  // namespace fl::client
