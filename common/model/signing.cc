#include "common/model/signing.h"

#include <algorithm>
#include <string>
#include <utility>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/base/error.h"
#include "common/base/files.h"

namespace fl {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using KeyHandle = std::unique_ptr<EVP_PKEY, Free>;
using ContextHandle = std::unique_ptr<EVP_MD_CTX, Free>;
using BioHandle = std::unique_ptr<BIO, Free>;

constexpr std::size_t pem_bytes_limit = std::size_t{64} << 10U;

[[noreturn]] void fail(const char* doing) {
  ERR_clear_error();
  throw Error(ErrorCode::internal, std::string("OpenSSL failed ") + doing);
}

const unsigned char* data_of(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// Without this OpenSSL asks for an encrypted key's password on the terminal.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*context*/) {
  return -1;
}

KeyHandle key_from_pem(std::string& pem) {
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (bio == nullptr) fail("to read a key");
  KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  OPENSSL_cleanse(pem.data(), pem.size());
  ERR_clear_error();
  return key;
}

}  // namespace

PublicKey PublicKey::from_bytes(ByteView bytes) {
  PublicKey key;
  if (bytes.size() != key.bytes.size()) {
    throw Error(ErrorCode::invalid_data,
                "an Ed25519 public key has 32 bytes, not " + std::to_string(bytes.size()));
  }
  std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
  return key;
}

bool PublicKey::verifies(ByteView message, const Signature& signature) const {
  const KeyHandle key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, data_of(bytes), bytes.size()));
  const ContextHandle context(EVP_MD_CTX_new());
  const bool valid = key != nullptr && context != nullptr &&
                     EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                     EVP_DigestVerify(context.get(), data_of(signature), signature.size(), data_of(message),
                                      message.size()) == 1;
  ERR_clear_error();
  return valid;
}

struct SigningKey::Key {
  KeyHandle handle;
};

SigningKey::SigningKey(std::unique_ptr<Key> key) : key_(std::move(key)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

SigningKey SigningKey::generate() {
  KeyHandle handle(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (handle == nullptr) fail("to make a signing key");
  return SigningKey(std::make_unique<Key>(Key{std::move(handle)}));
}

SigningKey SigningKey::load(const std::filesystem::path& path) {
  std::string pem = read_text_file(path, pem_bytes_limit);
  KeyHandle handle = key_from_pem(pem);
  if (handle == nullptr || EVP_PKEY_get_id(handle.get()) != EVP_PKEY_ED25519) {
    throw Error(ErrorCode::invalid_data,
                path.string() + " is not an unencrypted Ed25519 private key in PEM (PKCS #8)");
  }
  return SigningKey(std::make_unique<Key>(Key{std::move(handle)}));
}

void SigningKey::save(const std::filesystem::path& path) const {
  const BioHandle bio(BIO_new(BIO_s_secmem()));
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), key_->handle.get(), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1) {
    fail("to write a signing key");
  }
  char* text = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(bio.get(), &text));
  write_file_atomically(path, as_bytes(std::string_view(text, size)), FileMode::secret);
}

PublicKey SigningKey::public_key() const {
  PublicKey key;
  std::size_t size = key.bytes.size();
  if (EVP_PKEY_get_raw_public_key(key_->handle.get(), reinterpret_cast<unsigned char*>(key.bytes.data()),
                                  &size) != 1) {
    fail("to derive a public key");
  }
  return key;
}

Signature SigningKey::sign(ByteView message) const {
  Signature signature{};
  std::size_t size = signature.size();
  const ContextHandle context(EVP_MD_CTX_new());
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_->handle.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     data_of(message), message.size()) != 1) {
    fail("to sign");
  }
  return signature;
}

}  // namespace fl
