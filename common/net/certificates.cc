#include "common/net/certificates.h"

#include <openssl/pem.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/net/openssl.h"

namespace fl::net {
namespace {

constexpr std::size_t largest_file = std::size_t{64} << 10U;

BioPtr memory_of(ByteView bytes) {
  BioPtr memory(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
  require(memory != nullptr, "reading from memory");
  return memory;
}

Bytes content_of(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  const ByteView view = as_bytes(std::string_view(data, static_cast<std::size_t>(size)));
  return {view.begin(), view.end()};
}

// Instead of OpenSSL's, which asks at the terminal.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*context*/) {
  return -1;
}

Timestamp timestamp_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    ERR_clear_error();
    throw Error(ErrorCode::invalid_data, "a certificate's validity is no time");
  }
  return Timestamp(std::chrono::seconds(timegm(&parts)));
}

std::string text_of(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) {
    ERR_clear_error();
    return {};
  }
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

}  // namespace

PrivateKey::PrivateKey(evp_pkey_st* key) : key_(key, EVP_PKEY_free) {}

PrivateKey PrivateKey::generate() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  require(key != nullptr, "generating a P-256 key");
  return PrivateKey(key);
}

PrivateKey PrivateKey::load(const std::filesystem::path& path) {
  const Bytes pem = read_file(path, largest_file);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(memory_of(pem).get(), nullptr, no_password, nullptr);
  ERR_clear_error();
  if (key == nullptr) {
    throw Error(ErrorCode::invalid_data, path.string() + " is no private key in PEM form without a password");
  }
  PrivateKey loaded(key);
  if (!is_p256(key)) {
    throw Error(ErrorCode::invalid_data, path.string() + " holds another private key than one of P-256");
  }
  return loaded;
}

void PrivateKey::save(const std::filesystem::path& path) const {
  const BioPtr memory(BIO_new(BIO_s_mem()));
  const int written =
      PEM_write_bio_PKCS8PrivateKey(memory.get(), native(), nullptr, nullptr, 0, nullptr, nullptr);
  require(written == 1, "writing a private key as PEM");
  Bytes pem = content_of(memory.get());
  write_file_atomically(path, pem, FileMode::secret);
  OPENSSL_cleanse(pem.data(), pem.size());
}

Certificate::Certificate(x509_st* certificate) : certificate_(certificate, X509_free) {}

Certificate Certificate::from_der(ByteView der) {
  const auto* position = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = position + der.size();
  X509* parsed = d2i_X509(nullptr, &position, static_cast<long>(der.size()));
  ERR_clear_error();
  if (parsed == nullptr)
    throw Error(ErrorCode::invalid_data, "the bytes are no X.509 certificate in DER form");
  Certificate certificate(parsed);
  if (position != end) throw Error(ErrorCode::invalid_data, "more bytes follow the X.509 certificate");
  return certificate;
}

Certificate Certificate::load(const std::filesystem::path& path) {
  const Bytes pem = read_file(path, largest_file);
  X509* parsed = PEM_read_bio_X509(memory_of(pem).get(), nullptr, no_password, nullptr);
  ERR_clear_error();
  if (parsed == nullptr)
    throw Error(ErrorCode::invalid_data, path.string() + " is no certificate in PEM form");
  return Certificate(parsed);
}

void Certificate::save(const std::filesystem::path& path) const {
  const BioPtr memory(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(memory.get(), native()) == 1, "writing a certificate as PEM");
  write_file_atomically(path, content_of(memory.get()));
}

Certificate Certificate::share(x509_st* certificate) {
  X509_up_ref(certificate);
  return Certificate(certificate);
}

Bytes Certificate::to_der() const {
  const int size = i2d_X509(native(), nullptr);
  require(size > 0, "writing a certificate as DER");
  Bytes der(static_cast<std::size_t>(size));
  auto* position = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(native(), &position);
  return der;
}

Digest Certificate::fingerprint() const {
  return sha256(to_der());
}

std::string Certificate::common_name() const {
  const X509_NAME* subject = X509_get_subject_name(native());
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
}

std::string Certificate::serial() const {
  const BignumPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(native()), nullptr));
  require(number != nullptr, "reading a serial number");
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), reinterpret_cast<unsigned char*>(bytes.data()));
  return to_hex(bytes);
}

Timestamp Certificate::not_before() const {
  return timestamp_of(X509_get0_notBefore(native()));
}

Timestamp Certificate::not_after() const {
  return timestamp_of(X509_get0_notAfter(native()));
}

void require_usable(const Identity& device, const Certificate& authority, Timestamp now) {
  X509* const certificate = device.certificate.native();
  const char* fault = nullptr;
  if (X509_check_private_key(certificate, device.key.native()) != 1) {
    fault = "is for another key";
  } else if (X509_check_issued(authority.native(), certificate) != X509_V_OK ||
             X509_verify(certificate, X509_get0_pubkey(authority.native())) != 1) {
    fault = "was issued by another authority";
  } else if (X509_check_purpose(certificate, X509_PURPOSE_SSL_CLIENT, 0) != 1) {
    fault = "is not for a device";
  } else if (device.certificate.not_after() <= now) {
    fault = "has expired already, by this device's clock";
  }
  ERR_clear_error();
  if (fault != nullptr) {
    throw Error(ErrorCode::invalid_data, std::string("the certificate that the server sent ") + fault);
  }
}

Timestamp renewal_time(const Certificate& certificate) {
  const Timestamp begin = certificate.not_before();
  return begin + (certificate.not_after() - begin) / 2;
}

}  // namespace fl::net
