#pragma once

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/// Private to common/net: what OpenSSL's objects need to be owned, and its failures to be thrown.
namespace fl::net {

template <auto free_function>
struct Freed {
  template <typename Object>
  void operator()(Object* object) const {
    free_function(object);
  }
};

using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using BignumPtr = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Freed<SSL_SESSION_free>>;
using SslPtr = std::unique_ptr<SSL, Freed<SSL_free>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;

/// Throws Error(internal) with OpenSSL's reason after `doing`, and empties its queue of errors.
[[noreturn]] void throw_openssl(const std::string& doing);

/// Whether a key is one of the curve P-256, named and not spelled out.
bool is_p256(evp_pkey_st* key);

/// For calls that fail only where memory or this program does.
inline void require(bool succeeded, const char* doing) {
  if (!succeeded) throw_openssl(doing);
}

}  // namespace fl::net
