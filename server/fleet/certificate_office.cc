#include "server/fleet/certificate_office.h"

#include "common/base/digest.h"
#include "common/base/random.h"

namespace fl::server {

CertificateOffice::Enrolment CertificateOffice::enrol(ByteView token, ByteView request,
                                                      const std::string& name) {
  const Timestamp now = clock_.now();
  const Digest secret = sha256(token);
  const TokenOutcome outcome = ledger_.token_outcome(secret, now);
  if (outcome != TokenOutcome::accepted) return {outcome, "", {}};  // nothing is signed for who has no token
  const std::string device = "d" + to_hex(secret_bytes(8));
  const net::Certificate certificate = net::issue_device(authority_, request, device, {now, lifetime_});
  DeviceRecord record;
  record.id = device;
  record.name = name;
  record.certificate_serial = certificate.serial();
  record.enrolled = now;
  record.certificate_expires = certificate.not_after();
  record.last_seen = now;
  return {ledger_.enrol(secret, record, now), device, certificate.to_der()};
}

Bytes CertificateOffice::renew(const std::string& device, ByteView request) {
  const net::Certificate certificate =
      net::issue_device(authority_, request, device, {clock_.now(), lifetime_});
  ledger_.renew_certificate(device, certificate.serial(), certificate.not_after());
  return certificate.to_der();
}

std::optional<std::string> CertificateOffice::admit(const std::string& device) {
  const std::optional<DeviceRecord> record = ledger_.device(device);
  if (!record) return "the device is not enrolled here";
  if (record->revoked) return "the device's certificate has been revoked";
  // Each note is a write to the disk, too dear for every connection.
  const Timestamp now = clock_.now();
  if (now - record->last_seen >= std::chrono::hours(1)) ledger_.touch_device(device, now);
  return std::nullopt;
}

}  // namespace fl::server
