#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <string>

#include <openssl/core_names.h>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/net/certificates.h"
#include "common/net/endpoint.h"
#include "common/net/openssl.h"
#include "protocol/limits.h"

/// The half of certificates.h that makes certificates and requests.
namespace fl::net {
namespace {

constexpr std::size_t longest_common_name = 64;  // of X.509
constexpr std::size_t serial_bytes = 16;
constexpr std::chrono::hours clock_tolerance{1};

std::time_t seconds_of(Timestamp time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

void set_random_serial(X509* certificate) {
  Bytes bytes = secret_bytes(serial_bytes);
  bytes[0] &= std::byte{0x7f};  // positive
  bytes[0] |= std::byte{0x40};  // and of one length
  const BignumPtr number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()), nullptr));
  require(
      number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr,
      "choosing a serial number");
}

void set_common_name(X509* certificate, const std::string& name) {
  const bool printable = std::all_of(name.begin(), name.end(), [](char character) {
    return static_cast<unsigned char>(character) >= 0x20 && character != 0x7f;
  });
  if (name.empty() || name.size() > longest_common_name || !printable) {
    throw Error(ErrorCode::invalid_argument,
                "a certificate's name must be 1 to 64 bytes long, without control characters");
  }
  const auto* text = reinterpret_cast<const unsigned char*>(name.data());
  const int added = X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                               MBSTRING_UTF8, text, static_cast<int>(name.size()), -1, 0);
  require(added == 1, "naming a certificate");
}

void set_validity(X509* certificate, const Validity& validity, const Timestamp* latest) {
  Timestamp end = validity.now + validity.lifetime;
  if (latest != nullptr) end = std::min(end, *latest);
  const Timestamp begin = validity.now - clock_tolerance;
  require(ASN1_TIME_set(X509_getm_notBefore(certificate), seconds_of(begin)) != nullptr &&
              ASN1_TIME_set(X509_getm_notAfter(certificate), seconds_of(end)) != nullptr,
          "setting a certificate's validity");
}

void add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1,
          "adding an extension to a certificate");
}

X509Ptr new_certificate(const std::string& name, EVP_PKEY* key) {
  X509Ptr certificate(X509_new());
  require(certificate != nullptr && X509_set_version(certificate.get(), X509_VERSION_3) == 1,
          "making a certificate");
  set_random_serial(certificate.get());
  set_common_name(certificate.get(), name);
  require(X509_set_pubkey(certificate.get(), key) == 1, "setting a certificate's key");
  return certificate;
}

Certificate sign(const X509Ptr& certificate, const X509* issuer, const PrivateKey& key) {
  require(X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer)) == 1 &&
              X509_sign(certificate.get(), key.native(), EVP_sha256()) > 0,
          "signing a certificate");
  return Certificate::share(certificate.get());
}

// A certificate that may issue no other, for one use. The authority's end is its end too.
X509Ptr new_leaf(const Identity& authority, const std::string& name, EVP_PKEY* key, const char* use,
                 const Validity& validity) {
  const Timestamp latest = authority.certificate.not_after();
  if (validity.now >= latest) {
    throw Error(ErrorCode::failed_precondition,
                "the authority's certificate has expired, it can issue no more");
  }
  X509Ptr certificate = new_certificate(name, key);
  set_validity(certificate.get(), validity, &latest);
  X509* const issuer = authority.certificate.native();
  add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), issuer, NID_ext_key_usage, use);
  add_extension(certificate.get(), issuer, NID_subject_key_identifier, "hash");
  add_extension(certificate.get(), issuer, NID_authority_key_identifier, "keyid:always");
  return certificate;
}

// The name is put in by itself and not by OpenSSL's text form, in which a comma begins another name.
void add_alternative_name(X509* certificate, const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  const bool v4 = inet_pton(AF_INET, host.c_str(), address.data()) == 1;
  const bool v6 = !v4 && inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
  const std::size_t address_size = v4 ? sizeof(in_addr) : sizeof(in6_addr);
  const bool is_address = v4 || v6;
  ASN1_STRING* value = ASN1_STRING_type_new(is_address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  require(value != nullptr, "naming a server");
  ASN1_STRING_set(value, is_address ? static_cast<const void*>(address.data()) : host.data(),
                  static_cast<int>(is_address ? address_size : host.size()));
  GENERAL_NAME* name = GENERAL_NAME_new();
  GENERAL_NAME_set0_value(name, is_address ? GEN_IPADD : GEN_DNS, value);
  GENERAL_NAMES* names = GENERAL_NAMES_new();
  sk_GENERAL_NAME_push(names, name);
  const int added = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT);
  GENERAL_NAMES_free(names);
  require(added == 1, "naming a server");
}

[[noreturn]] void refuse_request(const char* why) {
  ERR_clear_error();
  throw Error(ErrorCode::invalid_data, std::string("the certificate request ") + why +
                                           "; right would be PKCS #10 in DER form with a P-256 key");
}

RequestPtr parse_request(ByteView der) {
  if (der.size() > limits::certificate_bytes) refuse_request("is longer than 16 KiB");
  const auto* position = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = position + der.size();
  RequestPtr request(d2i_X509_REQ(nullptr, &position, static_cast<long>(der.size())));
  if (request == nullptr || position != end) refuse_request("does not parse");
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || !is_p256(key)) refuse_request("has a key that is not of P-256");
  if (X509_REQ_verify(request.get(), key) != 1) refuse_request("is not signed by its own key");
  return request;
}

}  // namespace

bool is_p256(evp_pkey_st* key) {
  std::array<char, 64> group{};
  std::size_t size = 0;
  int explicit_curve = 0;
  const bool elliptic =
      EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1;
  if (elliptic) {
    EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_curve);
  }
  ERR_clear_error();
  return elliptic && explicit_curve == 0 && std::string_view(group.data(), size) == SN_X9_62_prime256v1;
}

Identity make_authority(const std::string& name, const Validity& validity) {
  PrivateKey key = PrivateKey::generate();
  const X509Ptr certificate = new_certificate(name, key.native());
  set_validity(certificate.get(), validity, nullptr);
  add_extension(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(certificate.get(), certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate.get(), certificate.get(), NID_subject_key_identifier, "hash");
  Certificate signed_certificate = sign(certificate, certificate.get(), key);
  return {std::move(signed_certificate), std::move(key)};
}

Identity issue_server(const Identity& authority, const std::string& host, const Validity& validity) {
  const std::string host_name = Endpoint::parse(Endpoint{host, 0}.text()).host;
  PrivateKey key = PrivateKey::generate();
  const std::string name = host_name.size() <= longest_common_name ? host_name : "fl-server";
  const X509Ptr certificate = new_leaf(authority, name, key.native(), "serverAuth", validity);
  add_alternative_name(certificate.get(), host_name);
  Certificate signed_certificate = sign(certificate, authority.certificate.native(), authority.key);
  return {std::move(signed_certificate), std::move(key)};
}

Bytes make_request(const PrivateKey& key) {
  const RequestPtr request(X509_REQ_new());
  require(request != nullptr && X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
              X509_REQ_set_pubkey(request.get(), key.native()) == 1 &&
              X509_REQ_sign(request.get(), key.native(), EVP_sha256()) > 0,
          "making a certificate request");
  Bytes der(static_cast<std::size_t>(i2d_X509_REQ(request.get(), nullptr)));
  auto* position = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509_REQ(request.get(), &position);
  return der;
}

Certificate issue_device(const Identity& authority, ByteView request, const std::string& device_id,
                         const Validity& validity) {
  const RequestPtr parsed = parse_request(request);
  EVP_PKEY* const key = X509_REQ_get0_pubkey(parsed.get());
  const X509Ptr certificate = new_leaf(authority, device_id, key, "clientAuth", validity);
  return sign(certificate, authority.certificate.native(), authority.key);
}

}  // namespace fl::net
