#include "common/model/signing.h"

#include <sys/stat.h>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/evp.h>

#include "common/base/files.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/model/refusal.h"

using namespace fl;
using test::contains;
using test::refusal;

namespace {

/// RFC 8032, section 7.1.
struct Vector {
  const char* seed;
  const char* public_key;
  const char* message;
  const char* signature;
};

constexpr Vector vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
     "4a7c15e9716ed28dc027beceea1ec40a"}};

/// PEM of the PKCS #8 structure (RFC 8410) around an Ed25519 seed.
std::string pem_of(const std::string& seed) {
  const Bytes der = from_hex("302e020100300506032b657004220420" + seed);
  std::string text(der.size() * 2, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(der.data()), static_cast<int>(der.size()));
  text.resize(static_cast<std::size_t>(size));
  return "-----BEGIN PRIVATE KEY-----\n" + text + "\n-----END PRIVATE KEY-----\n";
}

Signature signature_of(ByteView bytes) {
  Signature signature{};
  REQUIRE(bytes.size() == signature.size());
  std::copy(bytes.begin(), bytes.end(), signature.begin());
  return signature;
}

/// The same signature with the group's order added to its scalar, which a careless verifier takes too.
Signature with_order_added(Signature signature) {
  const Bytes order = from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    carry += std::to_integer<unsigned>(signature[32 + i]) + std::to_integer<unsigned>(order[i]);
    signature[32 + i] = static_cast<std::byte>(carry & 0xffU);
    carry >>= 8U;
  }
  return signature;
}

}  // namespace

TEST_CASE("keys and signatures are those of RFC 8032") {
  const test::TemporaryFolder folder;
  for (const Vector& vector : vectors) {
    write_file_atomically(folder / "key", as_bytes(pem_of(vector.seed)), FileMode::secret);
    const SigningKey key = SigningKey::load(folder / "key");
    CHECK(to_hex(key.public_key().bytes) == vector.public_key);
    const Bytes message = from_hex(vector.message);
    CHECK(to_hex(key.sign(message)) == vector.signature);
    const PublicKey public_key = PublicKey::from_bytes(from_hex(vector.public_key));
    CHECK(public_key.verifies(message, signature_of(from_hex(vector.signature))));
  }
}

TEST_CASE("a signature with one bit changed does not verify") {
  const SigningKey key = SigningKey::generate();
  const Signature signature = key.sign(as_bytes("message"));
  const PublicKey public_key = key.public_key();
  REQUIRE(public_key.verifies(as_bytes("message"), signature));
  for (std::size_t bit = 0; bit < 512; ++bit) {
    Signature changed = signature;
    changed[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    REQUIRE_FALSE(public_key.verifies(as_bytes("message"), changed));
  }
  CHECK_FALSE(public_key.verifies(as_bytes("massage"), signature));
  CHECK_FALSE(public_key.verifies(as_bytes("message "), signature));
  CHECK_FALSE(public_key.verifies({}, signature));
  CHECK_FALSE(public_key.verifies(as_bytes("message"), with_order_added(signature)));
}

TEST_CASE("another key does not verify a signature") {
  const SigningKey key = SigningKey::generate();
  const SigningKey other = SigningKey::generate();
  const Signature signature = key.sign(as_bytes("message"));
  CHECK_FALSE(other.public_key().verifies(as_bytes("message"), signature));
  CHECK_FALSE(PublicKey().verifies(as_bytes("message"), signature));
  CHECK_FALSE(other.public_key() == key.public_key());
  PublicKey no_point;
  no_point.bytes.fill(std::byte{0xff});
  CHECK_FALSE(no_point.verifies(as_bytes("message"), signature));
}

TEST_CASE("a saved key is for its owner alone and loads as the same key") {
  const test::TemporaryFolder folder;
  SigningKey key = SigningKey::generate();
  key.save(folder / "key.pem");
  struct stat status{};
  REQUIRE(stat((folder / "key.pem").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const SigningKey loaded = SigningKey::load(folder / "key.pem");
  CHECK(loaded.public_key() == key.public_key());
  CHECK(loaded.sign(as_bytes("x")) == key.sign(as_bytes("x")));
  CHECK(read_text_file(folder / "key.pem").starts_with("-----BEGIN PRIVATE KEY-----\n"));
  key = SigningKey::generate();
  CHECK_FALSE(loaded.public_key() == key.public_key());
}

TEST_CASE("a file that is no Ed25519 private key is refused by name (I9)") {
  const test::TemporaryFolder folder;
  const std::string encrypted =
      "-----BEGIN ENCRYPTED PRIVATE "
      "KEY-----\nMIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgwMTIzNDU2NwICCAAw\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n";
  // A P-256 key (RFC 5915 in PKCS #8) whose private number is 1.
  const std::string elliptic =
      "-----BEGIN PRIVATE KEY-----\nMEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCAAAAAAAAAAAAAAAAAA\n"
      "AAAAAAAAAAAAAAAAAAAAAAAAAQ==\n-----END PRIVATE KEY-----\n";
  for (const std::string& text : {std::string(), std::string("rubbish"), encrypted, elliptic}) {
    write_file_atomically(folder / "key", as_bytes(text));
    const std::string sentence = refusal(ErrorCode::invalid_data, [&] { SigningKey::load(folder / "key"); });
    CHECK(contains(sentence, (folder / "key").string()));
    CHECK(contains(sentence, "Ed25519"));
  }
  refusal(ErrorCode::not_found, [&] { SigningKey::load(folder / "absent"); });
  refusal(ErrorCode::invalid_data, [] { PublicKey::from_bytes(as_bytes("short")); });
}
