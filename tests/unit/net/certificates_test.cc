#include "common/net/certificates.h"

#include <set>
#include <sys/stat.h>

#include <doctest/doctest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/base/random.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/net/faults.h"

using namespace fl;
using namespace fl::net;
using namespace std::chrono_literals;
using test::error_of;
using test::says;

namespace {

const Timestamp noon{std::chrono::sys_days{std::chrono::year{2030} / 6 / 1} + 12h};
const Validity year{noon, 24h * 365};
const Validity month{noon, 24h * 30};

/// X.509's verdict by OpenSSL itself, at a time and for a use.
int verdict(const Certificate& leaf, const Certificate& root, int purpose, Timestamp now) {
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, root.native());
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, leaf.native(), nullptr);
  X509_STORE_CTX_set_purpose(context, purpose);
  X509_STORE_CTX_set_time(context, 0,
                          std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
  X509_verify_cert(context);
  const int result = X509_STORE_CTX_get_error(context);
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  return result;
}

bool names_host(const Certificate& certificate, const char* host) {
  return X509_check_host(certificate.native(), host, 0, 0, nullptr) == 1 ||
         X509_check_ip_asc(certificate.native(), host, 0) == 1;
}

Certificate some_device(const Identity& authority) {
  return issue_device(authority, make_request(PrivateKey::generate()), "device-7", month);
}

/// A request for any key, signed by it.
Bytes request_for(EVP_PKEY* key) {
  X509_REQ* request = X509_REQ_new();
  X509_REQ_set_pubkey(request, key);
  X509_REQ_sign(request, key, EVP_sha256());
  Bytes der(static_cast<std::size_t>(i2d_X509_REQ(request, nullptr)));
  auto* position = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509_REQ(request, &position);
  X509_REQ_free(request);
  EVP_PKEY_free(key);
  return der;
}

EVP_PKEY* explicit_p256() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  EVP_PKEY_set_utf8_string_param(key, "encoding", "explicit");
  return key;
}

bool request_refused(ByteView request, const std::string& why) {
  const Identity authority = make_authority("test", year);
  return says(error_of([&] { issue_device(authority, request, "device", month); }), ErrorCode::invalid_data,
              why);
}

}  // namespace

TEST_CASE("an authority may issue and not more") {
  const Identity authority = make_authority("our authority", year);
  CHECK(authority.certificate.common_name() == "our authority");
  CHECK(X509_check_ca(authority.certificate.native()) == 1);
  CHECK(X509_get_pathlen(authority.certificate.native()) == 0);
  CHECK(verdict(authority.certificate, authority.certificate, X509_PURPOSE_ANY, noon) == X509_V_OK);
}

TEST_CASE("a device certificate is for the key of the request and for devices alone") {
  const Identity authority = make_authority("test", year);
  const PrivateKey key = PrivateKey::generate();
  const Certificate device = issue_device(authority, make_request(key), "device-7", month);
  CHECK(device.common_name() == "device-7");
  CHECK(X509_check_private_key(device.native(), key.native()) == 1);
  CHECK(verdict(device, authority.certificate, X509_PURPOSE_SSL_CLIENT, noon) == X509_V_OK);
  CHECK(verdict(device, authority.certificate, X509_PURPOSE_SSL_SERVER, noon) == X509_V_ERR_INVALID_PURPOSE);
  CHECK(X509_check_ca(device.native()) == 0);
}

TEST_CASE("a server certificate is for its host and for servers alone") {
  const Identity authority = make_authority("test", year);
  for (const char* host : {"fl.example.org", "127.0.0.1", "::1"}) {
    const Identity server = issue_server(authority, host, month);
    CHECK(names_host(server.certificate, host));
    CHECK_FALSE(names_host(server.certificate, "other.example.org"));
    CHECK(verdict(server.certificate, authority.certificate, X509_PURPOSE_SSL_SERVER, noon) == X509_V_OK);
    CHECK(verdict(server.certificate, authority.certificate, X509_PURPOSE_SSL_CLIENT, noon) ==
          X509_V_ERR_INVALID_PURPOSE);
  }
  const std::string long_name = std::string(63, 'a') + "." + std::string(63, 'b') + ".org";
  CHECK(names_host(issue_server(authority, long_name, month).certificate, long_name.c_str()));
}

TEST_CASE("a host that is neither a name nor an address gets no certificate (I9)") {
  const Identity authority = make_authority("test", year);
  for (const char* host : {"", "a.org,IP:1.2.3.4", "a b", "a\nb"}) {
    CHECK(says(error_of([&] { issue_server(authority, host, month); }), ErrorCode::invalid_argument,
               "no address of a server"));
  }
}

TEST_CASE("certificates of one authority do not verify against another of the same name") {
  const Identity ours = make_authority("test", year);
  const Identity theirs = make_authority("test", year);
  CHECK(verdict(some_device(theirs), ours.certificate, X509_PURPOSE_SSL_CLIENT, noon) != X509_V_OK);
}

TEST_CASE("certificates hold from an hour ago to the end of their life") {
  const Identity authority = make_authority("test", year);
  const Certificate device = some_device(authority);
  CHECK(device.not_before() == noon - 1h);
  CHECK(device.not_after() == noon + 24h * 30);
  CHECK(renewal_time(device) == noon - 1h + (24h * 30 + 60min) / 2);
  const auto at = [&](Timestamp now) {
    return verdict(device, authority.certificate, X509_PURPOSE_SSL_CLIENT, now);
  };
  CHECK(at(noon - 59min) == X509_V_OK);
  CHECK(at(noon - 61min) == X509_V_ERR_CERT_NOT_YET_VALID);
  CHECK(at(noon + 24h * 30 - 1s) == X509_V_OK);
  CHECK(at(noon + 24h * 30 + 1s) == X509_V_ERR_CERT_HAS_EXPIRED);
}

TEST_CASE("a certificate ends with its authority and an expired authority issues none") {
  const Identity authority = make_authority("test", month);
  const auto request = make_request(PrivateKey::generate());
  CHECK(issue_device(authority, request, "device", year).not_after() == authority.certificate.not_after());
  const Validity later{noon + 24h * 31, 24h};
  CHECK(says(error_of([&] { issue_device(authority, request, "device", later); }),
             ErrorCode::failed_precondition, "expired"));
}

TEST_CASE("dates beyond 2050 are kept") {
  const Identity authority = make_authority("test", {noon, 24h * 365 * 40});
  CHECK(authority.certificate.not_after() == noon + 24h * 365 * 40);
}

TEST_CASE("serial numbers are random and written alike by all") {
  const Identity authority = make_authority("test", year);
  std::set<std::string> serials;
  for (int i = 0; i < 20; ++i) serials.insert(some_device(authority).serial());
  CHECK(serials.size() == 20);
  for (const std::string& serial : serials) CHECK(serial.size() == 32);
}

TEST_CASE("a device name that a certificate cannot carry is refused (I9)") {
  const Identity authority = make_authority("test", year);
  const Bytes request = make_request(PrivateKey::generate());
  for (const std::string& name :
       {std::string(), std::string(65, 'a'), std::string("a\nb"), std::string("a\0b", 3)}) {
    CHECK(says(error_of([&] { issue_device(authority, request, name, month); }), ErrorCode::invalid_argument,
               "1 to 64 bytes"));
  }
  CHECK(issue_device(authority, request, std::string(64, 'a'), month).common_name() == std::string(64, 'a'));
}

TEST_CASE("a request whose signature or key was changed is refused (I8)") {
  const Bytes request = make_request(PrivateKey::generate());
  Bytes tampered = request;
  tampered.back() ^= std::byte{1};
  CHECK(request_refused(tampered, "is not signed by its own key"));
  // The public key of one request under the signature of another.
  const Bytes other = make_request(PrivateKey::generate());
  Bytes mixed = request;
  std::copy(other.begin(), other.begin() + 90, mixed.begin());
  CHECK(says(error_of([&] { issue_device(make_authority("test", year), mixed, "device", month); }),
             ErrorCode::invalid_data, "the certificate request"));
}

TEST_CASE("a request that is cut off or longer or too long is refused (I8)") {
  const Bytes request = make_request(PrivateKey::generate());
  for (std::size_t length = 0; length < request.size(); length += 7) {
    CHECK(request_refused(ByteView(request).first(length), "does not parse"));
  }
  Bytes longer = request;
  longer.push_back(std::byte{0});
  CHECK(request_refused(longer, "does not parse"));
  CHECK(request_refused(Bytes(100000), "longer than 16 KiB"));
}

TEST_CASE("a request with a key that is not of P-256 is refused") {
  CHECK(request_refused(request_for(EVP_EC_gen("P-384")), "not of P-256"));
  CHECK(request_refused(request_for(EVP_EC_gen("secp256k1")), "not of P-256"));
  CHECK(request_refused(request_for(EVP_RSA_gen(2048)), "not of P-256"));
  CHECK(request_refused(request_for(explicit_p256()), "not of P-256"));
}

TEST_CASE("changed requests are issued for or refused but never crash (I8)") {
  const Identity authority = make_authority("test", year);
  const Bytes request = make_request(PrivateKey::generate());
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    Bytes changed = request;
    for (std::uint64_t change = 1 + random.below(3); change > 0; --change) {
      changed[random.below(changed.size())] = static_cast<std::byte>(random());
    }
    const auto error = error_of([&] { issue_device(authority, changed, "device", month); });
    if (error) CHECK(error->code() == ErrorCode::invalid_data);
  }
}

TEST_CASE("keys and certificates are saved and loaded and keys are secret") {
  const test::TemporaryFolder folder;
  const Identity authority = make_authority("test", year);
  authority.key.save(folder / "key.pem");
  authority.certificate.save(folder / "certificate.pem");
  const PrivateKey key = PrivateKey::load(folder / "key.pem");
  const Certificate certificate = Certificate::load(folder / "certificate.pem");
  CHECK(EVP_PKEY_eq(key.native(), authority.key.native()) == 1);
  CHECK(certificate.fingerprint() == authority.certificate.fingerprint());
  struct stat status{};
  REQUIRE(stat((folder / "key.pem").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("files that hold no key or certificate are refused by name (I9)") {
  const test::TemporaryFolder folder;
  write_file_atomically(folder / "x.pem", as_bytes("hello"));
  make_authority("test", year).key.save(folder / "key.pem");
  CHECK(says(error_of([&] { PrivateKey::load(folder / "none.pem"); }), ErrorCode::not_found, "none.pem"));
  CHECK(says(error_of([&] { PrivateKey::load(folder / "x.pem"); }), ErrorCode::invalid_data, "x.pem"));
  CHECK(says(error_of([&] { Certificate::load(folder / "none.pem"); }), ErrorCode::not_found, "none.pem"));
  CHECK(says(error_of([&] { Certificate::load(folder / "x.pem"); }), ErrorCode::invalid_data, "x.pem"));
  CHECK(says(error_of([&] { Certificate::load(folder / "key.pem"); }), ErrorCode::invalid_data, "key.pem"));
}

TEST_CASE("a certificate comes back from its bytes and from nothing else (I8)") {
  const Certificate certificate = make_authority("test", year).certificate;
  Bytes der = certificate.to_der();
  CHECK(Certificate::from_der(der).fingerprint() == certificate.fingerprint());
  CHECK(certificate.fingerprint() == sha256(der));
  for (std::size_t length = 0; length < der.size(); length += 7) {
    CHECK_THROWS_AS(Certificate::from_der(ByteView(der).first(length)), Error);
  }
  der.push_back(std::byte{0});
  CHECK(says(error_of([&] { Certificate::from_der(der); }), ErrorCode::invalid_data, "more bytes follow"));
}
