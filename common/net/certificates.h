#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/digest.h"

struct evp_pkey_st;
struct x509_st;

namespace fl::net {

/// A P-256 private key for TLS. Movable; reading it is safe from any thread.
class PrivateKey {
 public:
  static PrivateKey generate();
  /// PEM (PKCS #8). Throws Error: not_found, or invalid_data where it is no private key.
  static PrivateKey load(const std::filesystem::path& path);
  /// PEM (PKCS #8), mode 0600, atomically.
  void save(const std::filesystem::path& path) const;

  evp_pkey_st* native() const { return key_.get(); }

 private:
  explicit PrivateKey(evp_pkey_st* key);
  std::shared_ptr<evp_pkey_st> key_;
};

/// An X.509 certificate. A cheap value; immutable; any thread.
class Certificate {
 public:
  /// DER. Throws Error(invalid_data) where the bytes are no certificate, or more follow.
  static Certificate from_der(ByteView der);
  /// PEM. Throws Error: not_found or invalid_data.
  static Certificate load(const std::filesystem::path& path);
  /// PEM, atomically.
  void save(const std::filesystem::path& path) const;
  /// Shares ownership of a certificate of OpenSSL's.
  static Certificate share(x509_st* certificate);

  Bytes to_der() const;
  /// SHA-256 of the DER form: what pins a CA.
  Digest fingerprint() const;
  /// The subject's common name: a device's id.
  std::string common_name() const;
  /// The serial number in hexadecimal.
  std::string serial() const;
  Timestamp not_before() const;
  Timestamp not_after() const;

  x509_st* native() const { return certificate_.get(); }

 private:
  explicit Certificate(x509_st* certificate);
  std::shared_ptr<x509_st> certificate_;
};

/// A certificate and its key.
struct Identity {
  Certificate certificate;
  PrivateKey key;
};

/// How long a certificate holds. It begins an hour before `now`, for clocks that run behind.
struct Validity {
  Timestamp now;
  std::chrono::hours lifetime;
};

/// A self-signed certificate authority (basicConstraints CA, path length 0, keyCertSign).
Identity make_authority(const std::string& name, const Validity& validity);

/// A server certificate (extendedKeyUsage serverAuth) for `host`, a DNS name or an IP address.
Identity issue_server(const Identity& authority, const std::string& host, const Validity& validity);

/// A PKCS #10 request, DER: the public key and the proof that the asker has its private half.
Bytes make_request(const PrivateKey& key);

/// A device certificate (extendedKeyUsage clientAuth) for the public key of `request`, with `device_id` as
/// its common name; whatever else the request says is not looked at. Throws Error(invalid_data) where the
/// request does not parse, its signature does not verify or its key is not P-256.
Certificate issue_device(const Identity& authority, ByteView request, const std::string& device_id,
                         const Validity& validity);

/// Whether a device may use what it was issued: throws Error(invalid_data) where the certificate is not the
/// key's, was not issued by `authority` for clientAuth, or has ended at `now`.
void require_usable(const Identity& device, const Certificate& authority, Timestamp now);

/// The first moment at which a certificate should be renewed: half of its life.
Timestamp renewal_time(const Certificate& certificate);

}  // namespace fl::net
